"""The attributes of an item beside its text: what a catalogue states, not what a text says of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import Block, FeatureEncoder, Modality, Part, class_path
from mmrec.data.features.encoders.hashing import buckets
from mmrec.errors import UserError

Floats = NDArray[np.float32]
WIDTH = 512  # the only width tried


class WithAttributesEncoder(FeatureEncoder):
    """The text vectors of an encoder, of length 1, and beside them as long a vector of the item's attributes.

    Every value of an attribute is hashed to two signed buckets; the values of one attribute share its weight, and all
    attributes weigh the same. Numbers are hashed by their leading digits (1998 as 1, 19, 199 and 1998), so that near
    ones have most in common. An item that lacks one of the two parts has zeros there, one without either is missing.

    Args:
        encoder: encodes the texts, and the pictures if it can; these stay as they are.

    Raises:
        UserError: the encoder makes no text vectors.
    """

    def __init__(self, encoder: FeatureEncoder) -> None:
        if "text" not in encoder.modalities():
            raise UserError(f"WithAttributesEncoder: {type(encoder).__name__} makes no text vectors")
        self.encoder = encoder
        self.name = f"{encoder.name}+attributes"

    def options(self) -> dict[str, object]:
        """Return class and options of the encoder."""
        return {"encoder": [class_path(self.encoder), self.encoder.options()]}

    def revision(self) -> str:
        """Return the encoder's revision and the version of this code: raise it whenever a vector changes."""
        return f"{self.encoder.revision()}; attributes 1"

    def modalities(self) -> tuple[Modality, ...]:
        """Return the encoder's."""
        return self.encoder.modalities()

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block for each part."""
        for part, block in zip(parts, self.encoder.encode(parts), strict=True):
            yield _beside(part, block) if part.modality == "text" else block


def _beside(part: Part, block: Block) -> Block:
    items = part.items["item"].to_numpy().astype(np.int64)
    attributes = np.stack([hashed_attributes(json.loads(text or "{}")) for text in part.items["attributes"]])
    texts = np.zeros((len(items), block.vectors.shape[1]), np.float32)
    if len(block.rows):
        place = {item: place for place, item in enumerate(items.tolist())}
        vectors = block.vectors.astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        texts[[place[row] for row in block.rows.tolist()]] = vectors / np.where(lengths, lengths, 1)
    both = np.concatenate([texts, attributes], axis=1)
    there = both.any(axis=1)
    return Block(items[there], both[there], block.rejected)


def hashed_attributes(attributes: Mapping[str, Any]) -> Floats:
    """Return the (WIDTH,) vector of an item's attributes, of length 1, or all zero where there are none."""
    vector = np.zeros(WIDTH, np.float32)
    for name, given in attributes.items():
        values = given if isinstance(given, list) else [given]
        tokens = [f"{name}={token}" for value in values if value is not None for token in _tokens(value)]
        for token in tokens:
            for bucket, sign in buckets(token, WIDTH):
                vector[bucket] += sign / math.sqrt(len(tokens))
    length = np.linalg.norm(vector)
    return vector / length if length else vector


def _tokens(value: object) -> list[str]:
    """Return a value in lower case, or the leading digits of a number with how many it has before the point."""
    text = str(value).strip().lower()
    try:
        whole = str(int(abs(float(text))))
    except (ValueError, OverflowError):  # no number, or an infinite one
        return [text] if text else []
    return [f"{len(whole)}:{whole[:count]}" for count in range(1, len(whole) + 1)]
