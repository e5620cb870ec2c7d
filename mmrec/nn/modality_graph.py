r"""One modality of MMGCN (Wei et al., ACM MM 2019): graph convolutions combined with id embeddings.

With x⁽⁰⁾ a user's preference or an item's projected feature, a layer is

    h = LeakyReLU(D^-1 A x W_1)                       aggregation, the mean over the neighbours
    x̂ = LeakyReLU(W_2 x) + e_id                       id embeddings, shared by all modalities
    x' = LeakyReLU(W_3 [h ‖ x̂])  or  LeakyReLU(W_3 h + x̂)
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.nn.bipartite_graph import BipartiteGraph

Combination = Literal["concatenation", "sum"]


class ModalityGraph(nn.Module):
    """The users' preferences and the items' features of one modality, propagated over the graph.

    Args:
        n_users: U.
        feature_dim: F, width of the features.
        dim: D.
        layers: number of aggregations and combinations.
        combination: how the neighbours and a node's own vector are combined, "concatenation" or "sum".
    """

    def __init__(self, n_users: int, *, feature_dim: int, dim: int, layers: int, combination: Combination) -> None:
        super().__init__()
        self.preference = nn.Parameter(nn.init.xavier_normal_(torch.empty(n_users, dim)))
        self.projection = nn.Linear(feature_dim, dim)
        self.layers = nn.ModuleList(_Layer(dim, combination) for _ in range(layers))

    def forward(self, features: Tensor, ids: Tensor, graph: BipartiteGraph) -> Tensor:
        """Encode all nodes.

        Args:
            features: (I, F), features of the items.
            ids: (U + I, D), id embeddings of users and then items.
            graph: the training interactions, with "mean" weighting.

        Returns:
            (U + I, D).
        """
        # Rows have length 1, as in the authors' code, so that preferences and features are on one scale.
        nodes = F.normalize(torch.cat([self.preference, self.projection(features)]))
        for layer in self.layers:
            nodes = layer(nodes, ids, graph)
        return nodes


class _Layer(nn.Module):
    """One aggregation and combination."""

    def __init__(self, dim: int, combination: Combination) -> None:
        super().__init__()
        self.combination = combination
        self.aggregate = nn.Linear(dim, dim, bias=False)  # W_1
        self.transform = nn.Linear(dim, dim)  # W_2
        self.combine = nn.Linear(2 * dim if combination == "concatenation" else dim, dim)  # W_3
        for linear in (self.aggregate, self.transform, self.combine):
            nn.init.xavier_normal_(linear.weight)

    def forward(self, nodes: Tensor, ids: Tensor, graph: BipartiteGraph) -> Tensor:
        """Return the next vectors of all nodes, users before items, (U + I, D)."""
        users, items = self.aggregate(nodes).split(graph.sizes)
        neighbours = F.leaky_relu(torch.cat([graph.to_users(items), graph.to_items(users)]))
        own = F.leaky_relu(self.transform(nodes)) + ids
        if self.combination == "concatenation":
            return F.leaky_relu(self.combine(torch.cat([neighbours, own], dim=1)))
        return F.leaky_relu(self.combine(neighbours) + own)
