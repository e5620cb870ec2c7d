"""Features without any weights: colour and gradient statistics of an image, hashed words of a text.

For the demo, for tests and as a lower bound for pretrained encoders. Colour, pattern, silhouette and words can be
decoded linearly; the meaning of an image or a sentence is not captured.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmrec.data.features.encoders.base import MODALITIES, Block, FeatureEncoder, Modality, Part, RejectedItem
from mmrec.data.features.encoders.hashing import buckets
from mmrec.data.features.encoders.inputs import read_parts
from mmrec.errors import require_whole_number

Floats = NDArray[np.floating[Any]]

SIZE = 64  # pixels; images are resized to SIZE x SIZE whatever their aspect ratio
HUES, GREYS = 12, 4
ORIENTATIONS, GRID = 8, 4  # gradient histograms of GRID x GRID cells
CELLS = 8  # the silhouette has CELLS x CELLS cells
COLOURS = 2 * HUES + GREYS  # each hue dark and bright
IMAGE_DIM = 2 * COLOURS + GRID * GRID * ORIENTATIONS + CELLS * CELLS

WORD = re.compile(r"\w+")


class HandcraftedEncoder(FeatureEncoder):
    """Weight-free features.

    Text: lower-cased words, each hashed to two signed buckets (the sign makes collisions cancel on average),
    1 + log of its count, L2-normalised. No inverse document frequency: a vector depends on its own text alone.

    Image, 248 numbers, three L2-normalised parts of equal weight: colour histograms (12 hues dark and bright, 4 greys)
    of the whole image and its middle; gradient orientations on a 4 x 4 grid, after Dalal and Triggs, "Histograms of
    oriented gradients for human detection" (CVPR 2005); difference from the border's colour on an 8 x 8 grid.

    Args:
        text_dim: width T of the text vectors, at least 16.

    Raises:
        InvalidArgument: the width is out of range.
    """

    name = "handcrafted"

    def __init__(self, text_dim: int = 256) -> None:
        require_whole_number("text_dim", text_dim, at_least=16, at_most=2**16)
        self.text_dim = text_dim

    def options(self) -> dict[str, object]:
        """Return the text width."""
        return {"text_dim": self.text_dim}

    def revision(self) -> str:
        """Return the version of this code, to be raised whenever a vector changes."""
        return "2"

    def modalities(self) -> tuple[Modality, ...]:
        """Return text and image."""
        return MODALITIES

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block per part. A text without any word is rejected."""
        for inputs in read_parts(parts, _pixels):
            if inputs.modality == "image":
                pixels = inputs.values
                described = image_statistics(np.stack(pixels)) if pixels else np.empty((0, IMAGE_DIM), np.float32)
                yield Block(inputs.rows, described, inputs.rejected)
                continue
            hashed = [hashed_words(text, self.text_dim) for text in inputs.values]
            vectors = np.array(hashed, dtype=np.float32).reshape(-1, self.text_dim)
            good = vectors.any(axis=1)
            wordless = tuple(RejectedItem("text without words", f"item {row}") for row in inputs.rows[~good].tolist())
            yield Block(inputs.rows[good], vectors[good], wordless)


def hashed_words(text: str, dim: int) -> Floats:
    """Return the (dim,) vector of a text, of length 1, or zero if it has no word."""
    vector = np.zeros(dim, dtype=np.float32)
    for word, count in Counter(WORD.findall(text.lower())).items():
        for bucket, sign in buckets(word, dim):
            vector[bucket] += sign * (1 + math.log(count))
    return _unit(vector)


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return (SIZE, SIZE, 6) red, green, blue, hue, saturation, value."""
    small = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.concatenate([np.asarray(small), np.asarray(small.convert("HSV"))], axis=2)


def image_statistics(pixels: NDArray[np.uint8]) -> Floats:
    """Return (B, 248) vectors of length 1 from (B, 64, 64, 6) pixels (RGB, then HSV)."""
    scaled = pixels.astype(np.float32) / 255
    rgb, hsv = scaled[..., :3], scaled[..., 3:]
    middle = slice(SIZE // 4, 3 * SIZE // 4)
    colour = np.concatenate([_colours(hsv), _colours(hsv[:, middle, middle])], axis=1)
    parts = [_unit(colour), _unit(_orientations(rgb)), _unit(_silhouette(rgb))]
    return _unit(np.concatenate(parts, axis=1))


def _colours(hsv: Floats) -> Floats:
    """Return (B, COLOURS) square roots of the colours' fractions of all pixels.

    A pixel counts in part for its hue and in part for its grey, by its saturation.
    """
    hue, saturation, value = (hsv[..., channel] for channel in range(3))
    chroma = saturation * (value > 0.1)  # the hue of black is noise
    left, right = _neighbours(hue, HUES)
    bright = HUES * (value > 0.5)
    grey = np.minimum((value * GREYS).astype(np.int64), GREYS - 1) + 2 * HUES
    histogram = (
        _histogram(left + bright, chroma * (1 - right), COLOURS)
        + _histogram((left + 1) % HUES + bright, chroma * right, COLOURS)
        + _histogram(grey, 1 - chroma, COLOURS)
    )
    roots: Floats = np.sqrt(histogram / (hsv.shape[1] * hsv.shape[2]))
    return roots


def _orientations(rgb: Floats) -> Floats:
    """Return (B, GRID * GRID * ORIENTATIONS) square roots of the orientations' fractions, small in flat cells."""
    down, right = np.gradient(rgb, axis=(1, 2))
    strength = np.hypot(down, right)
    strongest = strength.argmax(axis=3, keepdims=True)  # a red stripe on green shows in colour, not in brightness
    strength, down, right = (np.take_along_axis(array, strongest, axis=3)[..., 0] for array in (strength, down, right))
    left, next_bin = _neighbours(np.arctan2(down, right) / np.pi % 1, ORIENTATIONS)
    coordinate = np.arange(SIZE) * GRID // SIZE
    cell = (coordinate[:, None] * GRID + coordinate) * ORIENTATIONS
    bins = GRID * GRID * ORIENTATIONS
    histogram = _histogram(cell + left, strength * (1 - next_bin), bins)
    histogram += _histogram(cell + (left + 1) % ORIENTATIONS, strength * next_bin, bins)
    by_cell = histogram.reshape(-1, GRID * GRID, ORIENTATIONS)
    flat = 0.02 * (SIZE / GRID) ** 2  # a mean gradient of 2 % halves a cell's values
    roots: Floats = np.sqrt(by_cell / (by_cell.sum(axis=2, keepdims=True) + flat))
    return roots.reshape(len(rgb), bins)


def _silhouette(rgb: Floats) -> Floats:
    """Return (B, CELLS * CELLS) mean distances from the median colour of the image's border."""
    frames = (rgb[:, :2], rgb[:, -2:], rgb[:, :, :2], rgb[:, :, -2:])
    border = np.concatenate([frame.reshape(len(rgb), -1, 3) for frame in frames], axis=1)
    background = np.median(border, axis=1)[:, None, None, :]
    distance = np.minimum(np.linalg.norm(rgb - background, axis=3) * 4, 1)
    side = SIZE // CELLS
    cells: Floats = distance.reshape(len(rgb), CELLS, side, CELLS, side).mean(axis=(2, 4))
    return cells.reshape(len(rgb), -1)


def _neighbours(position: Floats, bins: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the circular bin below each position in [0, 1] and the fraction that belongs to the next bin."""
    scaled = position * bins
    left = np.floor(scaled)
    return left.astype(np.int64) % bins, scaled - left


def _histogram(index: NDArray[np.int64], weight: Floats, bins: int) -> Floats:
    """Return (B, bins) sums of `weight` (B, H, W) by `index` (B, H, W)."""
    count = len(index)
    offset = index + bins * np.arange(count)[:, None, None]
    return np.bincount(offset.ravel(), weight.ravel(), count * bins).reshape(count, bins).astype(np.float32)


def _unit(vectors: Floats) -> Floats:
    """Scale rows to length 1; zero rows stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = vectors / np.where(length > 0, length, 1)
    return scaled
