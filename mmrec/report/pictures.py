"""Pictures and titles of items, small enough to lie in a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import polars as pl
import yaml  # type: ignore[import-untyped]
from PIL import Image

from mmrec.data.prepare.manifest import Manifest
from mmrec.errors import UserError

SIDE = 160
"""Pixels of a thumbnail's longer side: twice what the page shows, for screens with two pixels to a point."""
QUALITY = 72
"""Of the JPEG; a thumbnail is then 4 to 6 KB, a third more as text in the page."""


class Shelf:
    """The items of one dataset: their titles, and the pictures that a page asks for, each once.

    Args:
        items: `items.parquet` of the prepared dataset; None where it is not here, so that nothing has a picture.
    """

    def __init__(self, items: Path | None) -> None:
        self._rows: dict[str, tuple[str | None, str | None]] = {}
        if items is not None:
            table = pl.read_parquet(items, columns=["raw_id", "title", "image"], glob=False)
            self._rows = {raw_id: (title, image) for raw_id, title, image in table.iter_rows()}
        self._places: dict[str, int] = {}
        self.pictures: list[str] = []

    def title(self, raw_id: str) -> str:
        """Return an item's title, its id where there is none."""
        return self._rows.get(raw_id, (None, None))[0] or raw_id

    def picture(self, raw_id: str) -> int | None:
        """Return the place of an item's thumbnail in `pictures` (data URIs); None if it has no readable picture."""
        if raw_id not in self._places:
            image = self._rows.get(raw_id, (None, None))[1]
            uri = None if image is None else thumbnail(Path(image))
            self._places[raw_id] = -1 if uri is None else len(self.pictures)
            if uri is not None:
                self.pictures.append(uri)
        return None if self._places[raw_id] < 0 else self._places[raw_id]


def thumbnail(file: Path) -> str | None:
    """Return a picture as a small JPEG in a data URI, None if it cannot be decoded."""
    small = io.BytesIO()
    try:
        with Image.open(file) as image:
            image.draft("RGB", (SIDE * 2, SIDE * 2))
            image.thumbnail((SIDE, SIDE))
            _on_white(image).save(small, "JPEG", quality=QUALITY, optimize=True)
    except Exception:  # what a decoder raises on a malformed file is anyone's guess
        return None
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode("ascii")


def _on_white(image: Image.Image) -> Image.Image:
    """Return a picture in RGB; what is transparent shows white, as shops show it."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")


def find_items(run: Path, dataset: str, data_hash: str) -> Path | None:
    """Return `items.parquet` of the prepared dataset of a run, None if it is not here; nothing is prepared.

    It is looked for where the run had it, `data.root` of its `config.yaml`, and known by its hash.

    Args:
        run: the run's folder.
        dataset: name of the dataset.
        data_hash: of the run's result.
    """
    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        root = Path(config["data"]["root"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
    for file in sorted((root / dataset).glob("*/items.parquet")):
        try:
            if Manifest.load(file.parent).data_hash == data_hash:
                return file
        except UserError:
            continue  # of an older version
    return None
