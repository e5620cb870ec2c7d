"""The interface of feature encoders, and the decoding of images for all of them.

An encoder turns parts of a prepared dataset into vectors; `mmrec.data.features.extract` owns the files. So an encoder
holds no paths of the dataset, and continuing after an interruption is the same call with fewer parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import ExifTags, Image

Modality = Literal["text", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "image")
Rows = NDArray[np.int64]
Vectors = NDArray[np.floating[Any]]

PART_ITEMS = 128
"""Items per part, the unit that is written, kept after a kill and distributed over processes. The decoded images of two
parts are in memory at a time: about 150 MiB of 224 x 224 pixels in fp32."""


class Part(NamedTuple):
    """Some items and the modality to encode.

    Args:
        modality: "text" or "image".
        items: columns item, raw_id, title, text, image, attributes as in `items.parquet`, without the padding row; some
            of the items may lack the modality.
    """

    modality: Modality
    items: pl.DataFrame


@dataclass(frozen=True)
class RejectedItem:
    """An item whose text or image exists but gives no vector: it counts as missing and is reported.

    Args:
        kind: the fault, in the same words for all items that have it, for they are counted by it.
        where: the file or id, with the decoder's words.
    """

    kind: str
    where: str


@dataclass(frozen=True)
class Block:
    """The vectors of a part.

    Args:
        rows: (n,) item indices.
        vectors: (n, T) or (n, M), finite; row j belongs to item `rows[j]`. Where n is 0, text vectors
            keep their width T, and image vectors may have any width.
        rejected: items that could not be encoded; they are not in `rows`.
    """

    rows: Rows
    vectors: Vectors
    rejected: tuple[RejectedItem, ...] = ()


@runtime_checkable
class FeatureEncoder(Protocol):
    """Makes text and image vectors of items.

    An encoder takes plain constructor arguments, and its `name` is the first part of its folders' names. It must
    survive pickling before its first use: with several devices each process gets a copy.
    """

    name: str

    def options(self) -> dict[str, object]:
        """Return the constructor's arguments that change the result, as JSON values."""

    def revision(self) -> str:
        """Return a string that identifies weights, preprocessing and code. Raises UserError if a file is missing."""

    def modalities(self) -> tuple[Modality, ...]:
        """Return the modalities that it makes vectors of."""

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block per part, in their order; items of a part that its block does not contain are missing.

        A vector must not depend on how the items are cut into parts, rounding aside.

        Args:
            parts: parts of the encoder's own modalities; all parts of a modality follow each other.

        Raises:
            UserError: the encoder cannot work at all (no weights, no matching file).
        """


class UnreadableImageError(Exception):
    """An image cannot be decoded; the message names the file and the reason."""


def class_path(encoder: FeatureEncoder) -> str:
    """Return the full name of an encoder's class, as a config names it."""
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"


UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns an image upright, by its EXIF orientation."""
RANGES = (1.0, 255.0, 65_535.0, 4_294_967_295.0)
"""Values that usually mean white in images of one float ("F") or one 32-bit integer ("I", never 1) per pixel."""


def load_rgb(path: str) -> Image.Image:
    """Decode an image to 8-bit RGB, upright, with white behind transparent parts.

    Raises:
        UnreadableImageError: missing, broken or truncated, or more pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    try:
        # By a stream: Pillow 13 maps some files that it opens by path, and scrambles a TIFF that lies on its side.
        with open(path, "rb") as stream, Image.open(stream) as image:
            # Pillow only warns up to twice its limit, and several such images are decoded at once.
            if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise UnreadableImageError(f"{path}: {image.width} x {image.height} pixels")
            image.load()  # Pillow turns a TIFF upright here, and removes its mark
            return _upright(_to_rgb(image), image)
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders of broken bytes raise nearly anything: OSError, SyntaxError, struct.error
        raise UnreadableImageError(f"{path}: {str(error) or type(error).__name__}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip, not scale, and make nearly all of it white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):  # likewise
        return _scale(np.asarray(image, dtype=np.float64), RANGES if image.mode == "F" else RANGES[1:])
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _scale(values: NDArray[np.float64], ranges: Sequence[float]) -> Image.Image:
    """Scale grey values to 8 bits; the first of the ascending ranges that holds all of them says which one is white."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    largest = values.max()
    white = next((limit for limit in ranges if largest <= limit), largest)
    grey = np.clip(values / white * 255, 0, 255).round().astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _upright(decoded: Image.Image, image: Image.Image) -> Image.Image:
    """Return a decoded image, turned by the EXIF orientation of its file; broken EXIF data are ignored."""
    orientation = None
    with suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    method = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return decoded if method is None else decoded.transpose(method)
