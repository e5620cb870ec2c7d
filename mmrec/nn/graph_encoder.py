r"""Static interest: LightGCN over the user-item graph of the training interactions (paper, section 3.3.2, eq. 9-10).

    E^(k) = Ã E^(k-1),   Ã = D^-1/2 A D^-1/2                        (9)
    u^s = mean_k E_u^(k)                                            (10)

LightGCN is He et al., SIGIR 2020. A is bipartite, so a layer is two sparse products, users from items and items from
users, each a CSR matrix whose transpose is kept for the backward pass.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mmrec.data.catalog import TrainView

Pooling = Literal["mean", "sum"]


class _SparseProduct(torch.autograd.Function):
    """Y = M X for a constant sparse M whose transpose is at hand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
        ctx.transpose = transpose
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transpose @ grads[0].contiguous(), None, None


class GraphEncoder(nn.Module):
    """Propagate user and item vectors over the training graph and pool the layers.

    The paper sums the layers in eq. 10 and calls it mean pooling in the text; `pooling` offers both.

    Args:
        layers: K of eq. 10, the number of propagations.
        pooling: "mean" or "sum" over layers 0 .. K.
    """

    users_from_items: Tensor
    items_from_users: Tensor

    def __init__(self, layers: int, pooling: Pooling = "mean") -> None:
        super().__init__()
        self.layers = layers
        self.pooling = pooling
        for name in ("users_from_items", "items_from_users"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def set_graph(self, view: TrainView) -> None:
        """Build the normalised graph from training interactions; repeated pairs count once."""
        edges = torch.unique(view.users * view.n_items + view.items)
        user, item = edges // view.n_items, edges % view.n_items
        user_degree = torch.bincount(user, minlength=view.n_users)
        item_degree = torch.bincount(item, minlength=view.n_items)
        weight = (user_degree[user] * item_degree[item]).float().rsqrt()
        by_item = torch.argsort(item, stable=True)
        device = self.users_from_items.device
        self.users_from_items = _csr(user_degree, item, weight, view.n_items).to(device)
        self.items_from_users = _csr(item_degree, user[by_item], weight[by_item], view.n_users).to(device)

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Propagate E^(0).

        Args:
            users: (U, D), E_u^(0).
            items: (I, D), E_i^(0).

        Returns:
            pooled users (U, D) and items (I, D).
        """
        down, up = self.users_from_items, self.items_from_users
        user_layers, item_layers = [users.float()], [items.float()]
        with torch.autocast(users.device.type, enabled=False):  # sparse products know no half precision
            for _ in range(self.layers):
                previous_users, previous_items = user_layers[-1], item_layers[-1]
                user_layers.append(_SparseProduct.apply(previous_items, down, up))
                item_layers.append(_SparseProduct.apply(previous_users, up, down))
        return self._pool(user_layers), self._pool(item_layers)

    def _pool(self, layers: list[Tensor]) -> Tensor:
        total = torch.stack(layers).sum(0)
        return total / len(layers) if self.pooling == "mean" else total


def _csr(degree: Tensor, columns: Tensor, values: Tensor, width: int) -> Tensor:
    """Build a CSR matrix of int32 indices: half the memory traffic of int64, and what MKL takes."""
    rows = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            rows.int(), columns.int(), values, size=(len(degree), width), check_invariants=False
        )
