"""What a feature encoder is, and what every encoder of texts and pictures needs.

An encoder turns the items of a prepared dataset into vectors, block by block; `mmrec.data.features` owns the files.
So an encoder holds no paths of the dataset, and encoding some of the items is the same call with fewer rows.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

Modality = Literal["text", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "image")
Rows = NDArray[np.int64]
Vectors = NDArray[np.floating[Any]]
T = TypeVar("T")

DECODER_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class RejectedItem:
    """An item whose text or picture is there, but gives no vector: it counts as missing and is reported."""

    kind: str
    """What is wrong, the same words for all items with this fault: they are counted by it."""
    where: str
    """The file or id, with the decoder's words."""


@dataclass(frozen=True)
class Block:
    """Vectors of one modality for some items.

    Args:
        modality: "text" or "image".
        rows: (n,) item indices.
        vectors: (n, T) or (n, M), finite; row j belongs to item `rows[j]`.
        rejected: items that could not be encoded; they are not in `rows`.
    """

    modality: Modality
    rows: Rows
    vectors: Vectors
    rejected: tuple[RejectedItem, ...] = ()


@runtime_checkable
class FeatureEncoder(Protocol):
    """Makes text and image vectors of items. Takes plain constructor arguments; `name` begins a folder's name."""

    name: str

    def options(self) -> dict[str, object]:
        """Return the constructor's arguments that change the result, as JSON values."""

    def revision(self) -> str:
        """Return what identifies weights, preprocessing and code. Raises UserError if a file is missing."""

    def dims(self) -> tuple[int, int]:
        """Return the widths (T, M) of text and image vectors, 0 for a modality that the encoder does not make."""

    def encode(self, items: pl.DataFrame) -> Iterator[Block]:
        """Yield vectors block by block; items that no block names are missing.

        Args:
            items: columns item, raw_id, title, text, image as in `items.parquet`, without the padding row.

        Raises:
            UserError: the encoder cannot work at all (no weights, no matching file).
        """


class UnreadableImageError(Exception):
    """A picture that cannot be decoded; the message names the file and the reason."""


def hash_file(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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


def text_batches(items: pl.DataFrame, size: int) -> Iterator[tuple[Rows, list[str]]]:
    """Yield (item indices, texts) of the items with a text that is not blank, `size` at a time."""
    filled = items.filter(pl.col("text").str.strip_chars() != "")
    for part in filled.iter_slices(size):
        yield part["item"].cast(pl.Int64).to_numpy(), part["text"].to_list()


def image_batches(
    items: pl.DataFrame, size: int, prepare: Callable[[Image.Image], T]
) -> Iterator[tuple[Rows, list[T], tuple[RejectedItem, ...]]]:
    """Yield (item indices, prepared pictures, rejected) of the items with an image, at most `size` at a time.

    Pictures are decoded and prepared in threads, one batch ahead of the caller.
    """

    def load(path: str) -> T | RejectedItem:
        try:
            return prepare(load_rgb(path))
        except UnreadableImageError as error:
            return RejectedItem("unreadable image", str(error))

    def collect(rows: Rows, loaded: Iterator[T | RejectedItem]) -> tuple[Rows, list[T], tuple[RejectedItem, ...]]:
        results = list(loaded)
        good = [result for result in results if not isinstance(result, RejectedItem)]
        bad = tuple(result for result in results if isinstance(result, RejectedItem))
        return rows[[not isinstance(result, RejectedItem) for result in results]], good, bad

    ahead: deque[tuple[Rows, Iterator[T | RejectedItem]]] = deque()
    with ThreadPoolExecutor(DECODER_THREADS) as pool:
        for part in items.filter(pl.col("image").is_not_null()).iter_slices(size):
            ahead.append((part["item"].cast(pl.Int64).to_numpy(), pool.map(load, part["image"].to_list())))
            if len(ahead) > 1:
                yield collect(*ahead.popleft())
        while ahead:
            yield collect(*ahead.popleft())
