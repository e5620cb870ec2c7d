"""What a trained recommender reads of its data, whether prepared from raw files or exported with the model."""

from __future__ import annotations

from typing import Protocol

from mmrec.explain.themes import DescribedItems


class RecommenderData(DescribedItems, Protocol):
    """The data of a trained model: a `RecDataModule`, or the data of a bundle, which needs no raw files."""

    max_length: int
    """L, the longest window that the model reads."""
    mask_history: bool
    """Whether items of a history are left out of its recommendations."""
