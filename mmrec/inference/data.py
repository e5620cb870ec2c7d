"""What a trained recommender reads of its data, whether prepared from raw files or exported with the model."""

from __future__ import annotations

from typing import Protocol

from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders import FeatureEncoder
from mmrec.data.features.store import Features


class RecommenderData(Protocol):
    """The data of a trained model: a `RecDataModule`, or the data of a bundle, which needs no raw files."""

    max_length: int
    """L, the longest window that the model reads."""
    mask_history: bool
    """Whether items of a history are left out of its recommendations."""

    @property
    def catalog(self) -> Catalog:
        """The items, and the train-only view."""

    @property
    def features(self) -> Features | None:
        """The features of the items; None for a model without features."""

    @property
    def encoder(self) -> FeatureEncoder | None:
        """The encoder that made the features, for items that were not in the data; None without features."""
