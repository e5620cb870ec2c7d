"""Popularity: the baseline that gives every user the same list, the items with most training interactions first."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mmrec.batch import SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.models.recommender import Recommender


class Popularity(Recommender):
    """Score an item by its number of training interactions. There is nothing to train: run `test` directly.

    Args:
        n_items: I, padding included (linked from the data).
    """

    trains_on: ClassVar[TrainsOn] = "nothing"
    counts: Tensor

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.register_buffer("counts", torch.zeros(n_items), persistent=False)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Count the training interactions."""
        self.counts = catalog.train.popularity.float().to(self.counts.device)

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return the counts (B, I), the same for all users."""
        return self.counts.repeat(len(batch.user), 1)
