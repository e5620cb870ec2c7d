"""The user-item graph of the training interactions, and sparse products with it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from mmrec.data.catalog import TrainView
from mmrec.nn.kernels.sparse import csr, sparse_product

Weighting = Literal["symmetric", "mean"]


class BipartiteGraph(nn.Module):
    """The user-item graph, over which users and items exchange their vectors.

    The two halves of the adjacency matrix are CSR matrices, and each is the transpose that the backward pass of the
    other needs.

    Args:
        weighting: "symmetric" weights an edge by 1 / sqrt(degree of the user x degree of the item), D^-1/2 A D^-1/2;
            "mean" takes the mean over the neighbours, D^-1 A.
    """

    users_from_items: Tensor
    items_from_users: Tensor
    user_weight: Tensor
    item_weight: Tensor

    def __init__(self, weighting: Weighting = "symmetric") -> None:
        super().__init__()
        self.weighting = weighting
        for name in ("users_from_items", "items_from_users", "user_weight", "item_weight"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def set_graph(self, view: TrainView) -> None:
        """Build the graph from training interactions; repeated pairs count once."""
        user, item = view.pairs()
        user_degree = torch.bincount(user, minlength=view.n_users)
        item_degree = torch.bincount(item, minlength=view.n_items)
        by_item = torch.argsort(item, stable=True)
        device = self.users_from_items.device
        if self.weighting == "symmetric":
            weight = (user_degree[user] * item_degree[item]).float().rsqrt()
        else:
            # The matrices hold ones, so that each is the transpose of the other; the rows are divided afterwards.
            weight = torch.ones(len(user))
            self.user_weight = user_degree[:, None].clamp(min=1).float().reciprocal().to(device)
            self.item_weight = item_degree[:, None].clamp(min=1).float().reciprocal().to(device)
        self.users_from_items = csr(user_degree, item, weight, view.n_items).to(device)
        self.items_from_users = csr(item_degree, user[by_item], weight[by_item], view.n_users).to(device)

    @property
    def sizes(self) -> list[int]:
        """The numbers of users U and items I."""
        return list(self.users_from_items.shape)

    def to_users(self, items: Tensor) -> Tensor:
        """Return what the users receive from the items (I, D), (U, D) in fp32; zero for users without an edge."""
        return self._send(items, self.users_from_items, self.items_from_users, self.user_weight)

    def to_items(self, users: Tensor) -> Tensor:
        """Return what the items receive from the users (U, D), (I, D) in fp32; zero for items without an edge."""
        return self._send(users, self.items_from_users, self.users_from_items, self.item_weight)

    def _send(self, vectors: Tensor, matrix: Tensor, transpose: Tensor, weight: Tensor) -> Tensor:
        received = sparse_product(matrix, transpose, vectors)
        return received * weight if self.weighting == "mean" else received
