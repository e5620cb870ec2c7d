"""Records of items that come after training, from a file in the usual columns or in those of the run's own source."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.data.schema import Source
from mmrec.data.sources.readers.ids import id_of, one_spelling
from mmrec.data.sources.tabular.records import ItemRecords, Items
from mmrec.data.sources.tabular.source import Tabular
from mmrec.data.sources.tabular.tables import Table, TableFormat, open_table
from mmrec.errors import UserError

COLUMNS = ("id", "title", "text", "image", "attributes")
"""Columns of a file of new items; all but the id may be left out. `attributes` is a JSON object, or one in a column."""


def read_new_items(file: Path, images: Path | None, source: Source | None) -> Items:
    """Read a CSV, JSON lines or Parquet file of new items.

    A file with all columns that the source of the run maps to its items is read by that mapping, another one by the
    columns `COLUMNS`.

    Args:
        file: one record per item.
        images: folder where image paths start; the folder of the file if None. In a file without the column `image` an
            image is named by the item's id, with any usual ending.
        source: the source of the run; None where it is not at hand.

    Raises:
        UserError: the file cannot be read, lacks columns, or `images` holds no image of any item.
    """
    items = _items_of(file, images, source)
    if images is not None and items.items.height and items.items["image"].null_count() == items.items.height:
        raise UserError(
            f"{images}: holds no image of the {items.items.height:,} items of {file}: name the folder where their "
            "paths start, or no folder for items without images"
        )
    return items


def _items_of(file: Path, images: Path | None, source: Source | None) -> Items:
    if not file.is_file():
        raise UserError(f"{file}: no such file; name a .csv, .tsv, .jsonl or .parquet file with a record per item")
    mapped = getattr(source, "items", None)
    mapping = _mapping(mapped, source) if isinstance(mapped, ItemRecords) else None
    table = open_table(file, TableFormat() if mapping is None else mapping.format)
    wanted = [] if mapping is None else _columns(mapping)
    if mapping is not None and all(table.has(column) for column in wanted):
        return _read(replace(mapping, files=str(file.absolute()), images=_start(mapping, images)))
    table = open_table(file, TableFormat())
    if not table.has("id"):
        own = f", or those of the run's own source: {', '.join(wanted)}" if wanted else ""
        raise UserError(f"{file}: has no column id; the columns of new items are {', '.join(COLUMNS)}{own}")
    title, text, image = (name if table.has(name) else None for name in ("title", "text", "image"))
    start = None if images is None else str(images.absolute())
    image = image or (None if start is None else "{id}.*")
    items = _read(ItemRecords(files=str(file.absolute()), id="id", title=title, text=text, image=image, images=start))
    return replace(items, items=_with_attributes(items.items, table)) if table.has("attributes") else items


def _mapping(records: ItemRecords, source: Source | None) -> ItemRecords:
    """Return the mapping with its id, which may be that of the interactions."""
    default = source.columns.item if isinstance(source, Tabular) else "item"
    return replace(records, id=records.id or default)


def _columns(records: ItemRecords) -> list[str]:
    patterns = [column for template in records.templates.values() for column in template.columns]
    return list(dict.fromkeys([*patterns, *records.facts.values()]))


def _start(mapping: ItemRecords, images: Path | None) -> str | None:
    """Return the folder where the image paths of the mapping start."""
    if images is None or mapping.image is None:
        return mapping.images
    # A pattern such as photos/{sku}.jpg names a folder itself, and `images` may be that folder.
    folder = mapping.templates["image"].literals[0].rpartition("/")[0] if "{" in mapping.image else ""
    inner = folder and images.absolute().parts[-len(Path(folder).parts) :] == Path(folder).parts
    return str(images.absolute().parents[len(Path(folder).parts) - 1] if inner else images.absolute())


def _read(records: ItemRecords) -> Items:
    items = records.read(records.id or "id", pl.Series([], dtype=pl.String))  # no interactions to compare the ids with
    blank = pl.col("text").str.strip_chars() == ""
    return replace(items, items=items.items.with_columns(text=pl.when(~blank).then("text")))


def _with_attributes(items: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return the items with the facts of the column `attributes`; the first record of an id counts."""
    found: dict[str, str | None] = {}
    for number, record in table.records(["id", "attributes"]):
        if record is not None and (raw := id_of(record.get("id"))):
            found.setdefault(one_spelling(raw), _as_json(record.get("attributes"), table.place(number)))
    return items.with_columns(
        attributes=pl.Series([found.get(item) for item in items["item"]], dtype=pl.String)
    )  # fmt: skip


def _as_json(value: Any, place: str) -> str | None:
    """Return the facts as a JSON object. Raises UserError for another value."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            value = value or None
    if value is not None and not isinstance(value, dict):
        raise UserError(f'{place}: attributes must be a JSON object such as {{"colour": "red"}}, but is {value!r}')
    known = {name: fact for name, fact in (value or {}).items() if fact not in (None, "", [])}
    return json.dumps(known, ensure_ascii=False) if known else None
