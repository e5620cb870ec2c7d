"""Is what has arrived for an item really a picture of it, or at least a picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from mmrec.data.features.encoders.base import UnreadableImageError, load_rgb
from mmrec.download.failures import Reason, TransferError, one_line
from mmrec.download.limits import ImageLimits

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}
"""Formats that are taken, by Pillow's names; its other decoders see no use in shops and more bugs."""


def check_image(path: Path, limits: ImageLimits) -> str:
    """Decode an image and return the suffix of its format.

    Raises:
        TransferError: it is not an image, of a format that is not taken, too large, or so small that it stands for one.
    """
    try:
        with Image.open(path, formats=tuple(SUFFIXES)) as image:
            width, height, suffix = image.width, image.height, SUFFIXES[str(image.format)]
    except Image.DecompressionBombError:
        raise TransferError(Reason.TOO_LARGE, "its header declares far too many pixels") from None
    except Exception as error:  # a decoder of broken bytes raises nearly anything
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
