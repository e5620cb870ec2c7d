"""Text vectors of an encoder for texts that belong to no item: explanations, words of a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.features.encoders.attributes import WIDTH, WithAttributesEncoder
from mmrec.data.features.encoders.base import FeatureEncoder, Part
from mmrec.data.features.encoders.joined import JoinedEncoder
from mmrec.data.features.encoders.neural import NeuralEncoder
from mmrec.data.features.encoders.precomputed import PrecomputedEncoder

TextTower = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors (n, T) in the space of the items' text features; a zero row for a text that gives no vector."""


def text_tower(encoder: FeatureEncoder | None, width: int) -> TextTower | None:
    """Return the text encoder of a feature encoder; None if it makes no text vectors or reads them from arrays.

    Args:
        encoder: the encoder of the items' features.
        width: T, width of a text vector.
    """
    if isinstance(encoder, JoinedEncoder):
        return text_tower(encoder.encoders["text"], width)
    if isinstance(encoder, WithAttributesEncoder) and text_tower(encoder.encoder, width - WIDTH) is None:
        return None
    if encoder is None or isinstance(encoder, PrecomputedEncoder) or "text" not in encoder.modalities():
        return None
    if isinstance(encoder, NeuralEncoder):
        return encoder.text_tower()

    def texts(strings: Sequence[str]) -> NDArray[np.float32]:
        text = pl.Series(strings, dtype=pl.String)
        nothing = pl.lit(None, pl.String)
        items = pl.DataFrame({"item": np.arange(len(text)), "raw_id": text, "text": text}).with_columns(
            title=nothing, image=nothing, attributes=nothing
        )
        vectors = np.zeros((len(text), width), np.float32)
        for block in encoder.encode([Part("text", items)]):
            vectors[block.rows] = block.vectors
        return vectors

    return texts
