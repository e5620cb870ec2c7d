r"""Static interest: LightGCN over the user-item graph of the training interactions (paper, section 3.3.2, eq. 9-10).

    E^(k) = Ã E^(k-1),   Ã = D^-1/2 A D^-1/2                        (9)
    u^s = mean_k E_u^(k)                                            (10)

LightGCN is He et al., SIGIR 2020. A is bipartite, so a layer is two sparse products, users from items and items from
users.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mmrec.nn.bipartite_graph import BipartiteGraph

Pooling = Literal["mean", "sum"]


class GraphEncoder(BipartiteGraph):
    """Propagate user and item vectors over the training graph and pool the layers.

    Eq. 10 of the paper sums the layers, and its text calls this mean pooling; `pooling` offers both.

    Args:
        layers: K of eq. 10, number of propagations.
        pooling: "mean" or "sum" over layers 0 .. K.
    """

    def __init__(self, layers: int, pooling: Pooling = "mean") -> None:
        super().__init__("symmetric")
        self.layers = layers
        self.pooling = pooling

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Propagate E^(0).

        Args:
            users: (U, D), E_u^(0).
            items: (I, D), E_i^(0).

        Returns:
            pooled users (U, D) and items (I, D).
        """
        user_layers, item_layers = [users.float()], [items.float()]
        for _ in range(self.layers):
            previous_users, previous_items = user_layers[-1], item_layers[-1]
            user_layers.append(self.to_users(previous_items))
            item_layers.append(self.to_items(previous_users))
        return self._pool(user_layers), self._pool(item_layers)

    def _pool(self, layers: list[Tensor]) -> Tensor:
        total = torch.stack(layers).sum(0)
        return total / len(layers) if self.pooling == "mean" else total
