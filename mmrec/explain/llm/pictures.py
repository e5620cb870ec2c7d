"""Pictures as a language model is shown them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

PICTURE_SIDE = 896
"""Longest side of a picture in pixels; the models scale to about this themselves."""


def picture(path: Path) -> bytes | None:
    """Return a picture as a JPEG of bounded size, which every server can decode; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG")
            return out.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
