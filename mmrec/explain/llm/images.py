"""Images in the form in which a language model is shown them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

IMAGE_SIDE = 896
"""Longest side of an image in pixels; the models scale to about this size themselves."""


def encoded_image(path: Path) -> bytes | None:
    """Return an image as a JPEG of bounded size, which every server can decode; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            image.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG")
            return out.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
