"""The items of a served model, as pages and programs look them up. Ids are looked up and never become paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.batch import PAD
from mmrec.inference.item_table import shown
from mmrec.inference.recommender import TrainedRecommender

IMAGE_TYPES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif"
}  # fmt: skip


class Catalogue:
    """The items of a recommender: their facts, their images, a search by title.

    Args:
        shop: the recommender.
    """

    def __init__(self, shop: TrainedRecommender) -> None:
        self._table = shop.catalog.item_table
        self._ids = shop.ids
        popularity = shop.catalog.train.popularity.clone()
        popularity[PAD] = -1
        self._order: list[int] = popularity.argsort(descending=True, stable=True).tolist()[:-1]
        self._sought = pl.DataFrame(
            {
                "row": self._order,
                "words": (self._table["title"].fill_null("") + " " + self._table["raw_id"])
                .str.to_lowercase()
                .gather(self._order),
            }
        )

    def __contains__(self, raw: str) -> bool:
        return bool(self._ids.known([raw], "item"))

    def describe(self, raw: str) -> dict[str, Any]:
        """Return the facts of an item that exists."""
        return self._facts(self._ids.item(raw, "item"))

    def image(self, raw: str) -> tuple[Path, str] | None:
        """Return file and media type of an item's image; None if the item or the image is not there."""
        image = self._table["image"][self._ids.item(raw, "item")] if raw in self else None
        if image is None:
            return None
        file = Path(image)
        kind = IMAGE_TYPES.get(file.suffix.lower())
        return (file, kind) if kind is not None and file.is_file() else None

    def search(self, words: str, limit: int, offset: int) -> dict[str, Any]:
        """Return the items whose title or id contains every one of some words, the most popular first."""
        found = self._sought
        for word in words.lower().split():
            found = found.filter(pl.col("words").str.contains(word, literal=True))
        rows = found["row"][offset : offset + limit].to_list()
        return {"items": [self._facts(row) for row in rows], "found": found.height}

    def _facts(self, row: int) -> dict[str, Any]:
        raw_id, title, text, image, attributes = self._table.select(
            "raw_id", "title", "text", "image", "attributes"
        ).row(row)
        facts = json.loads(attributes) if attributes else {}
        return {
            "item": raw_id,
            "title": title,
            "text": text,
            "image": image is not None and Path(image).suffix.lower() in IMAGE_TYPES and Path(image).is_file(),
            "attributes": {name: shown(value) for name, value in facts.items() if value is not None},
        }
