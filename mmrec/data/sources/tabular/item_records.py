"""Items of the tabular source: one record of some table, by templates, to one row of `ITEM_COLUMNS`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, Rejected
from mmrec.data.sources.readers.events import BLANKS, IMAGES, MALFORMED_ID
from mmrec.data.sources.readers.jsonl import Record
from mmrec.data.sources.tabular.tables import BEYOND, Dialect, place_of, read_rows
from mmrec.data.sources.tabular.template import Template
from mmrec.data.sources.tabular.values import id_of, texts_of

ANY_ENDING = ".*"
IMAGE_ENDINGS = sorted(IMAGES, reverse=True)  # of several images of an item the same one as `find_images` takes
Row = tuple[str, str | None, str | None, str | None, str | None, str | None]


@dataclass(frozen=True)
class ItemMapping:
    """Which columns make an item.

    Args:
        item: column of the id.
        title: of the title.
        text: of all that a text encoder may read.
        image: of the image file.
        image_url: of its address.
        attributes: fact to column.
        separators: what separates the values of a fact, for all facts or by fact.
        folder: where image paths start; None without images.
    """

    item: str
    title: Template | None
    text: Template | None
    image: Template | None
    image_url: Template | None
    attributes: Mapping[str, str]
    separators: str | Mapping[str, str] | None
    folder: Path | None

    def columns(self) -> dict[str, Sequence[str]]:
        """Return the columns by the option that names them."""
        templates = {"title": self.title, "text": self.text, "image": self.image, "image_url": self.image_url}
        columns: dict[str, Sequence[str]] = {"item_id": [self.item]}
        columns |= {option: template.columns for option, template in templates.items() if template is not None}
        return columns | {"attributes": list(self.attributes.values())}

    def row(self, item: str, record: Record) -> Row:
        """Return the row of a record."""
        title, text = (self._write(template, record) for template in (self.title, self.text))
        url = None if self.image_url is None else self.image_url.fill(_first(self.image_url, record)) or None
        facts = {fact: self._values(fact, record.get(column)) for fact, column in self.attributes.items()}
        known = {fact: value for fact, value in facts.items() if value}
        return item, title, text, self._image(record), url, json.dumps(known, ensure_ascii=False) if known else None

    def _write(self, template: Template | None, record: Record) -> str | None:
        if template is None:
            return None
        return template.write({name: ", ".join(texts_of(record.get(name))) for name in template.columns}) or None

    def _image(self, record: Record) -> str | None:
        if self.image is None or self.folder is None:
            return None
        path = self.image.fill(_first(self.image, record))
        if not path:
            return None
        place = os.path.join(self.folder, path)
        endings = IMAGE_ENDINGS if place.endswith(ANY_ENDING) else ("",)
        places = (place.removesuffix(ANY_ENDING) + ending for ending in endings)
        return next(filter(os.path.isfile, places), None)

    def _values(self, fact: str, value: object) -> str | list[str] | None:
        texts = texts_of(value)
        if isinstance(value, list | dict):
            return texts
        text = texts[0] if texts else None
        separator = self.separators if isinstance(self.separators, str | None) else self.separators.get(fact)
        if text is None or not separator or separator not in text:
            return text
        return [part.strip() for part in text.split(separator) if part.strip()]


@dataclass(frozen=True)
class ItemRecords:
    """What has been read.

    Args:
        items: columns `ITEM_COLUMNS`, the first record of each id.
        rows_read: records, good or bad.
        rejected: bad ones by kind.
        repeated: records beyond the first of their id.
    """

    items: pl.DataFrame
    rows_read: int
    rejected: dict[str, Rejected]
    repeated: int


def read_items(files: Sequence[Path], mapping: ItemMapping, dialect: Dialect) -> ItemRecords:
    """Read the item files as if they were one.

    Raises:
        UserError: a file cannot be read.
    """
    columns = [column for columns in mapping.columns().values() for column in columns]
    rows: dict[str, Row] = {}
    counts: dict[str, tuple[int, Path, int]] = {}
    read = repeated = 0
    for file in files:
        for number, record in read_rows(file, columns, dialect):
            read += 1
            item = (id_of(record.get(mapping.item)) or "").strip(BLANKS) if record is not None else ""
            fault = _fault(record, item)
            if fault is not None:
                count, first_file, first = counts.get(fault, (0, file, number))
                counts[fault] = (count + 1, first_file, first)
            elif item in rows:
                repeated += 1
            elif record is not None:
                rows[item] = mapping.row(item, record)
    rejected = {
        fault: Rejected(count, place_of(file, first, dialect)) for fault, (count, file, first) in counts.items()
    }
    return ItemRecords(pl.DataFrame(list(rows.values()), ITEM_COLUMNS, orient="row"), read, rejected, repeated)


def _fault(record: Record | None, item: str) -> str | None:
    if record is None:
        return "broken JSON"
    if record.get(BEYOND) is not None:
        return "item record with too many fields"
    if not item:
        return "item record without id"
    return "item record with malformed id" if re.search(MALFORMED_ID, item) else None


def _first(template: Template, record: Record) -> dict[str, str]:
    """Return the values of a template's columns, the first of a list."""
    values: dict[str, Any] = {name: texts_of(record.get(name)) for name in template.columns}
    return {name: texts[0] for name, texts in values.items() if texts}
