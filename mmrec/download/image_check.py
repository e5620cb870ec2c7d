"""The check that a file fetched for an item is an image."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from mmrec.data.features.encoders.base import UnreadableImageError, load_rgb
from mmrec.download.failures import Reason, TransferError, one_line
from mmrec.download.limits import ImageLimits

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}
"""Accepted formats, by Pillow's names; its other decoders are not used by shops and have more bugs."""


def check_image(path: Path, limits: ImageLimits) -> str:
    """Decode an image and return the suffix of its format.

    Raises:
        TransferError: the file is not an image, its format is not accepted, or it is too large or a small placeholder.
    """
    try:
        with Image.open(path, formats=tuple(SUFFIXES)) as image:
            width, height, suffix = image.width, image.height, SUFFIXES[str(image.format)]
    except Image.DecompressionBombError:
        raise TransferError(Reason.TOO_LARGE, "its header declares far too many pixels") from None
    except Exception as error:  # decoders raise nearly anything on broken bytes
        start = path.read_bytes()[:12]
        raise TransferError(Reason.NOT_AN_IMAGE, f"begins with {start!r}: {type(error).__name__}") from None
    if width * height > limits.max_pixels:
        raise TransferError(Reason.TOO_LARGE, f"{width} x {height} pixels, {limits.max_pixels:,} allowed")
    if min(width, height) < limits.min_side:
        raise TransferError(Reason.PLACEHOLDER, f"{width} x {height} pixels")
    try:
        load_rgb(str(path))
    except UnreadableImageError as error:
        raise TransferError(Reason.NOT_AN_IMAGE, one_line(str(error).removeprefix(f"{path}: "))) from None
    return suffix
