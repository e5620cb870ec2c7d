"""ItemKNN: item-based collaborative filtering (Sarwar et al., WWW 2001), a baseline without training."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mmrec.batch import SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.co_occurrence import co_occurrence, users_of_items
from mmrec.data.features.store import Features
from mmrec.errors import require
from mmrec.models.recommender import Recommender
from mmrec.nn.kernels.sparse import csr


class ItemKNN(Recommender):
    r"""Score an item by its similarity to the items of the history that are among its nearest neighbours.

        s(u, i) = Σ_{j ∈ history of u, j ∈ N(i)} c_ij / (√n_i √n_j + h)

    c_ij is the number of training users who have both items, n_i the number who have i. h is the shrinkage, which makes
    the cosine of small counts smaller. N(i) are the `neighbours` items most similar to i, without those of similarity
    0. All counts come from the training period; the history is everything before the item to predict, of any length and
    without order.

    Of the many forms of ItemKNN this is the binary cosine with the neighbours of the scored item, the tuned baseline of
    Ferrari Dacrema et al. (RecSys 2019). There is nothing to train: run `test` directly. On the validation split of
    MovieLens-1M, 10 to 400 neighbours and a shrinkage of 0 to 500 differ by .004 in NDCG@10; few neighbours are best.

    Args:
        n_items: I, padding included (linked from the data).
        neighbours: number of items in N(i).
        shrinkage: h.

    Raises:
        InvalidArgument: an option is outside its range.
    """

    trains_on: ClassVar[TrainsOn] = "nothing"
    similarity: Tensor

    def __init__(self, n_items: int, *, neighbours: int = 20, shrinkage: float = 10.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        require(neighbours >= 1, "neighbours", neighbours, "at least 1")
        require(shrinkage >= 0, "shrinkage", shrinkage, "at least 0")
        self.n_items = n_items
        self.n_neighbours = neighbours
        self.shrinkage = shrinkage
        self.register_buffer("similarity", torch.empty(0), persistent=False)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Find N(i) in the training interactions, one block of items after the other."""
        norm = users_of_items(catalog.train).sqrt()
        columns, values = [], []
        for rows, count in co_occurrence(catalog.train):
            cosine = count / (norm[rows, None] * norm + self.shrinkage).clamp_(min=1.0)
            cosine[torch.arange(len(count)), torch.arange(self.n_items)[rows]] = 0.0  # an item is not its own neighbour
            nearest = cosine.topk(min(self.n_neighbours, self.n_items), dim=1)
            columns.append(nearest.indices)
            values.append(nearest.values)
        column, value = torch.cat(columns), torch.cat(values)
        matrix = csr((value > 0).sum(1), column[value > 0], value[value > 0], self.n_items)
        self.similarity = matrix.to(self.similarity.device)

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return (B, I)."""
        with torch.autocast(self.similarity.device.type, enabled=False):
            scores: Tensor = (self.similarity @ batch.multi_hot(self.n_items).T).T
        return scores
