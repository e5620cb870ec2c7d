"""Images and titles of items, small enough to be part of the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from PIL import Image

from mmrec.data.prepare.manifest import Manifest
from mmrec.errors import UserError
from mmrec.utils.tables import read_table
from mmrec.utils.text import visible

SIDE = 160
"""Pixels of a thumbnail's longer side: twice what the page shows, for screens with two pixels to a point."""
QUALITY = 72
"""Quality of the JPEG; a thumbnail then has 4 to 6 KB, and a third more as text in the page."""


class Shelf:
    """The items of one dataset: their titles, and the images that a page needs, each once.

    Args:
        items: `items.parquet` of the prepared dataset; None if it is missing, so that no item has an image.

    Raises:
        UserError: the file is damaged.
    """

    def __init__(self, items: Path | None) -> None:
        self._rows: dict[str, tuple[str | None, str | None]] = {}
        if items is not None:
            columns = ["raw_id", "title", "image"]
            table = read_table(items, columns, None, "remove its folder and prepare again").select(columns)
            self._rows = {raw_id: (title, image) for raw_id, title, image in table.iter_rows()}
        self._places: dict[str, int] = {}
        self.images: list[str] = []

    def title(self, raw_id: str) -> str:
        """Return an item's title, or its id if it has no title."""
        return visible(self._rows.get(raw_id, (None, None))[0] or raw_id)

    def image(self, raw_id: str) -> int | None:
        """Return the position of an item's thumbnail in `images` (data URIs); None if it has no readable image."""
        if raw_id not in self._places:
            image = self._rows.get(raw_id, (None, None))[1]
            uri = None if image is None else thumbnail(Path(image))
            self._places[raw_id] = -1 if uri is None else len(self.images)
            if uri is not None:
                self.images.append(uri)
        return None if self._places[raw_id] < 0 else self._places[raw_id]


def thumbnail(file: Path) -> str | None:
    """Return an image as a small JPEG in a data URI, None if it cannot be decoded."""
    small = io.BytesIO()
    try:
        with Image.open(file) as image:
            image.draft("RGB", (SIDE * 2, SIDE * 2))
            image.thumbnail((SIDE, SIDE))
            _on_white(image).save(small, "JPEG", quality=QUALITY, optimize=True)
    except Exception:  # decoders raise many kinds of errors for malformed files
        return None
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode("ascii")


def _on_white(image: Image.Image) -> Image.Image:
    """Return an image in RGB, with transparent parts on white as in web shops."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")


def find_items(run: Path, dataset: str, data_hash: str) -> Path | None:
    """Return `items.parquet` of the prepared dataset of a run, None if it is missing; nothing is prepared.

    It is searched for in the run's own folder of data, `data.root` of its `config.yaml`, and recognised by its hash.

    Args:
        run: folder of the run.
        dataset: name of the dataset.
        data_hash: hash of the data in the run's result.
    """
    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        root = Path(config["data"]["root"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return None
    for file in sorted((root / dataset).glob("*/items.parquet")):
        try:
            if Manifest.load(file.parent).data_hash == data_hash:
                return file
        except UserError:
            continue  # made by an older version
    return None
