"""What a feature encoder is, and what every encoder of texts and pictures needs.

An encoder turns parts of a prepared dataset into vectors; `mmrec.data.features.store` owns the files. So an encoder holds no
paths of the dataset, and going on after an interruption is the same call with fewer parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

Modality = Literal["text", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "image")
Rows = NDArray[np.int64]
Vectors = NDArray[np.floating[Any]]

PART_ITEMS = 128
"""Items of a part, the unit that is written, kept after a kill and dealt to processes. Their pictures are in memory
together with those of the next part, decoded ahead: about 150 MiB of 224 x 224 pixels in fp32."""


class Part(NamedTuple):
    """Some items, and which modality of them to encode.

    Args:
        modality: "text" or "image".
        items: columns item, raw_id, title, text, image, attributes as in `items.parquet`, without the padding row; some
            of the items may lack the modality.
    """

    modality: Modality
    items: pl.DataFrame


@dataclass(frozen=True)
class RejectedItem:
    """An item whose text or picture is there, but gives no vector: it counts as missing and is reported."""

    kind: str
    """What is wrong, the same words for all items with this fault: they are counted by it."""
    where: str
    """The file or id, with the decoder's words."""


@dataclass(frozen=True)
class Block:
    """The vectors of a part.

    Args:
        rows: (n,) item indices.
        vectors: (n, T) or (n, M), finite; row j belongs to item `rows[j]`. Any width where n is 0.
        rejected: items that could not be encoded; they are not in `rows`.
    """

    rows: Rows
    vectors: Vectors
    rejected: tuple[RejectedItem, ...] = ()


@runtime_checkable
class FeatureEncoder(Protocol):
    """Makes text and image vectors of items. Takes plain constructor arguments; `name` begins a folder's name.

    It must survive pickling before its first use: with several devices each process gets a copy.
    """

    name: str

    def options(self) -> dict[str, object]:
        """Return the constructor's arguments that change the result, as JSON values."""

    def revision(self) -> str:
        """Return what identifies weights, preprocessing and code. Raises UserError if a file is missing."""

    def modalities(self) -> tuple[Modality, ...]:
        """Return the modalities it makes vectors of."""

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block for each part, in their order; items of a part that its block does not name are missing.

        A vector must not depend on how the items are cut into parts, rounding aside.

        Args:
            parts: of the encoder's own modalities; all parts of a modality follow each other.

        Raises:
            UserError: the encoder cannot work at all (no weights, no matching file).
        """


class UnreadableImageError(Exception):
    """A picture that cannot be decoded; the message names the file and the reason."""


def hash_file(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def class_path(encoder: FeatureEncoder) -> str:
    """Return the full name of an encoder's class, as a config names it."""
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"


def load_rgb(path: str) -> Image.Image:
    """Decode a picture to 8-bit RGB, transparent parts on white.

    Raises:
        UnreadableImageError: missing, broken or truncated, or more pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    try:
        with Image.open(path) as image:
            # Pillow only warns up to twice its limit, and several such pictures are decoded at once.
            if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise UnreadableImageError(f"{path}: {image.width} x {image.height} pixels")
            if image.mode.startswith("I;16"):  # Pillow would clip, not scale, and make nearly all of it white
                return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
            if image.has_transparency_data:
                rgba = image.convert("RGBA")
                white = Image.new("RGBA", rgba.size, "white")
                return Image.alpha_composite(white, rgba).convert("RGB")
            return image.convert("RGB")
    except UnreadableImageError:
        raise
    except Exception as error:  # a decoder of broken bytes raises nearly anything: OSError, SyntaxError, struct.error
        raise UnreadableImageError(f"{path}: {str(error) or type(error).__name__}") from error
