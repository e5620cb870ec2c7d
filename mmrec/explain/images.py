"""What can be said of an image without a model: its main colours, brightness and contrast."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOURS = {
    "black": (15, 15, 15),
    "grey": (128, 128, 128),
    "white": (245, 245, 245),
    "red": (200, 30, 35),
    "orange": (240, 130, 30),
    "yellow": (245, 215, 50),
    "green": (50, 140, 60),
    "teal": (30, 150, 155),
    "blue": (40, 80, 190),
    "purple": (120, 50, 150),
    "pink": (240, 140, 180),
    "brown": (105, 65, 35),
    "beige": (225, 205, 170),
}
"""Named colours, sRGB."""


def describe_image(image: Image.Image) -> list[str]:
    """Describe an image by its main colours, brightness and contrast.

    The image is averaged down to 32 x 32 over white; each pixel takes the nearest of `COLOURS` in CIE L*a*b*, where
    distance follows perception. Colours of at least 15 % of the pixels are named, the largest first, three at most.
    Mean lightness (0 to 100) below 35 is "dark" and above 70 "bright"; its standard deviation below 10 is
    "low contrast" and above 30 "high contrast".
    """
    canvas = Image.new("RGBA", (32, 32), "white")
    canvas.alpha_composite(image.convert("RGBA").resize((32, 32), Image.Resampling.BOX))
    lab = _lab(np.asarray(canvas.convert("RGB"), dtype=np.float64).reshape(-1, 3))
    palette = _lab(np.array(list(COLOURS.values()), dtype=np.float64))
    nearest = np.linalg.norm(lab[:, None] - palette[None], axis=2).argmin(axis=1)
    names = list(COLOURS)
    words = [names[i] for i, n in Counter(nearest.tolist()).most_common(3) if n >= 0.15 * len(nearest)]
    mean, spread = float(lab[:, 0].mean()), float(lab[:, 0].std())
    words += ["dark"] if mean < 35 else ["bright"] if mean > 70 else []
    words += ["low contrast"] if spread < 10 else ["high contrast"] if spread > 30 else []
    return words


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert sRGB in 0 to 255, shape (n, 3), to CIE L*a*b* under D65 (IEC 61966-2-1 and CIE 15)."""
    c = rgb / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)  # the row sums are the white point
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
