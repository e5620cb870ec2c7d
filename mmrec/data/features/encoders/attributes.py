"""Attributes of an item (genres, year, people, brand, price) as a part of its text vector."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import Block, FeatureEncoder, Modality, Part, class_path
from mmrec.data.features.encoders.hashing import buckets
from mmrec.errors import InvalidArgument

Floats = NDArray[np.float32]
WIDTH = 512  # the only width tried


class WithAttributesEncoder(FeatureEncoder):
    """Text vectors of another encoder, scaled to length 1, followed by a vector of the attributes, also of length 1.

    Every value of an attribute is hashed to two signed buckets; the values of one attribute share its weight, and all
    attributes weigh the same. Numbers are hashed by their leading digits (1998 as 1, 19, 199 and 1998), so that close
    numbers have most in common. An item that lacks one of the two parts has zeros there; an item without both is
    missing. Image vectors stay as they are.

    Args:
        encoder: encodes the texts, and the images if it can.

    Raises:
        InvalidArgument: the encoder makes no text vectors.
    """

    def __init__(self, encoder: FeatureEncoder) -> None:
        if "text" not in encoder.modalities():
            words = f"an encoder of text vectors, but {type(encoder).__name__} makes none"
            raise InvalidArgument("encoder", f"encoder must be {words}")
        self.encoder = encoder
        self.name = f"{encoder.name}+attributes"

    def options(self) -> dict[str, object]:
        """Return class and options of the encoder."""
        return {"encoder": [class_path(self.encoder), self.encoder.options()]}

    def revision(self) -> str:
        """Return the encoder's revision and the version of this code, to be raised whenever a vector changes."""
        return f"{self.encoder.revision()}; attributes 1"

    def modalities(self) -> tuple[Modality, ...]:
        """Return the encoder's modalities."""
        return self.encoder.modalities()

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block per part."""
        for part, block in zip(parts, self.encoder.encode(parts), strict=True):
            yield _append_attributes(part, block) if part.modality == "text" else block


def _append_attributes(part: Part, block: Block) -> Block:
    items = part.items["item"].to_numpy().astype(np.int64)
    attributes = np.stack([hashed_attributes(json.loads(text or "{}")) for text in part.items["attributes"]])
    texts = np.zeros((len(items), block.vectors.shape[1]), np.float32)
    if len(block.rows):
        index = {item: index for index, item in enumerate(items.tolist())}
        vectors = block.vectors.astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        texts[[index[row] for row in block.rows.tolist()]] = vectors / np.where(lengths, lengths, 1)
    both = np.concatenate([texts, attributes], axis=1)
    present = both.any(axis=1)
    return Block(items[present], both[present], block.rejected)


def hashed_attributes(attributes: Mapping[str, Any]) -> Floats:
    """Return the (WIDTH,) vector of an item's attributes, of length 1, or zero without attributes."""
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
    """Return the words to hash: a value in lower case, or a number's leading digits with the count of its digits."""
    text = str(value).strip().lower()
    try:
        whole = str(int(abs(float(text))))
    except (ValueError, OverflowError):  # not a finite number
        return [text] if text else []
    return [f"{len(whole)}:{whole[:count]}" for count in range(1, len(whole) + 1)]
