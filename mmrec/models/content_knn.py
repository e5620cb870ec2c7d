"""ContentKNN: items whose features are similar to the history's, a baseline without training that reaches new items."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from mmrec.batch import SequenceBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import require
from mmrec.models.recommender import Recommender
from mmrec.nn.history_scores import ContentScores, Histories
from mmrec.nn.item_features import ItemFeatures


class ContentKNN(Recommender):
    """Scores an item by the mean cosine of its fixed features to those of the newest 20 items of the history.

    See `ContentScores`. The model is not trained: run `test` directly.

    Args:
        n_items: I, padding included (linked from the data).
        text_dim: width of the text features (linked from the data).
        image_dim: width of the image features (linked from the data).
        neighbours: K, number of similar items per item that get a score.
        decay: factor by which an item of the history counts less than the next newer one; 1 counts all alike.

    Raises:
        InvalidArgument: the data has no features, or an option is out of its range.
    """

    trains_on: ClassVar[TrainsOn] = "nothing"

    def __init__(
        self, *, n_items: int, text_dim: int = 0, image_dim: int = 0, neighbours: int = 200, decay: float = 1.0
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        require(neighbours >= 1, "neighbours", neighbours, "at least 1")
        require(0 < decay <= 1, "decay", decay, "above 0 and at most 1")
        image = image_dim > 0
        text = text_dim > 0 or not image
        self.features = ItemFeatures(n_items, text_dim=text_dim, image_dim=image_dim, text=text, image=image)
        self.graph = ContentScores(neighbours, decay)

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take the features and find the neighbours."""
        self.features.attach(features)
        self.graph.set_features(self.features, catalog.added)

    def add_items(self, catalog: Catalog, features: Features) -> None:
        """Take the features of new items, and find their neighbours."""
        self.append_items(catalog.n_items, catalog.added[-1])
        self.features.attach(features)
        self.graph.add_items(self.features, catalog.added[-1])

    def item_vectors(self) -> Tensor:
        """Return the features (I, F), such that the product of two items is the weight of their edge."""
        rows = [self.graph.shares[name] ** 0.5 * self.features.rows(name) for name in self.features.modalities]
        return torch.cat(rows, dim=1)

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return (B, I)."""
        rows = torch.arange(len(batch.user), device=batch.user.device)
        scores: Tensor = self.graph(Histories.of(batch, (rows, batch.lengths - 1)))
        return scores
