"""Theme words of images by CLIP, where the image features are CLIP's (paper, section 3.5.1).

For each theme word w the text tower encodes "a picture of w", and z(i, w) is its cosine with image i, standardised
over the catalogue: a word that is near every image of a catalogue tells nothing. The words with the largest z of at
least `LEAST` are the item's, `MOST` at most. Without CLIP, `describe_image` names colours, brightness and contrast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders import FeatureEncoder, OpenClipEncoder
from mmrec.data.features.store import Features

THEMES_FILE = Path(__file__).with_name("themes.txt")
LEAST = 1.0  # standard deviations: one image in six is that near to a word
MOST = 3


class DescribedItems(Protocol):
    """Items with their features: a datamodule, or what a trained recommender has in its place."""

    @property
    def catalog(self) -> Catalog:
        """The items."""

    @property
    def features(self) -> Features | None:
        """Their features; None without an encoder."""

    @property
    def encoder(self) -> FeatureEncoder | None:
        """What made the features."""


class Themes:
    """The theme words of every item.

    Args:
        words: the vocabulary.
        texts: (w, M) vectors of the words.
        images: (I, M) vectors of the images in the same space.
        present: (I,) bool, whether each item has an image.
    """

    def __init__(
        self,
        words: list[str],
        texts: NDArray[np.floating[Any]],
        images: NDArray[np.floating[Any]],
        present: NDArray[np.bool_],
    ) -> None:
        self._words = words
        cosines = _unit(images[present]) @ _unit(texts).T
        spread = cosines.std(axis=0)
        standard = (cosines - cosines.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
        best = np.argsort(-standard, axis=1, kind="stable")[:, :MOST]
        near = np.take_along_axis(standard, best, axis=1) >= LEAST
        self._best = dict(zip(np.flatnonzero(present).tolist(), zip(best, near, strict=True), strict=True))

    @classmethod
    def of(cls, data: DescribedItems) -> Themes | None:
        """Return the themes of items with CLIP features as CLIP made them; None for others."""
        if not isinstance(data.encoder, OpenClipEncoder) or data.features is None or data.features.whitened:
            return None
        words = vocabulary()
        texts = data.encoder.text_tower()([f"a picture of {word}" for word in words])
        return cls(words, texts, np.asarray(data.features.image, dtype=np.float32), data.features.image_present)

    def __call__(self, item: int) -> list[str] | None:
        """Return the words of an item, the nearest first; None where it has no image."""
        if item not in self._best:
            return None
        best, near = self._best[item]
        return [self._words[word] for word, fits in zip(best, near, strict=True) if fits]


def vocabulary() -> list[str]:
    """Read `themes.txt`."""
    lines = THEMES_FILE.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors.astype(np.float32) / np.maximum(length, 1e-12)
    return unit
