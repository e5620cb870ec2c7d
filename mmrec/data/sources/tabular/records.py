"""Item records: one record of a table, by templates, to one row of `ITEM_COLUMNS`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, Note, Rejected
from mmrec.data.sources.readers.events import IMAGES
from mmrec.data.sources.readers.ids import MALFORMED, PLACEHOLDERS, id_of, one_spelling
from mmrec.data.sources.readers.jsonl import Record
from mmrec.data.sources.readers.paths import find_raw
from mmrec.data.sources.readers.texts import plain_text
from mmrec.data.sources.tabular.files import find_tables
from mmrec.data.sources.tabular.tables import BEYOND, Table, TableFormat, open_table, require_columns
from mmrec.data.sources.tabular.template import Template
from mmrec.data.sources.tabular.values import texts_of
from mmrec.errors import InvalidArgument, UserError

ANY_ENDING = ".*"
IMAGE_ENDINGS = sorted(IMAGES, reverse=True)  # the same order in which `find_images` prefers them
Row = tuple[str, str | None, str | None, str | None, str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class ItemRecords:
    """Files with records of the items, and which columns make an item.

    In a pattern such as "{name}. {brand}", columns are in braces. {article_id:.7} is the first seven characters of a
    value, {article_id:0>10} the value with zeros before it up to ten characters.

    Args:
        files: a file, a folder, a pattern such as `products/*.csv`, or a list of these.
        id: column of the item's id, or a pattern; of several records with one id the first counts. If null the same as
            in the interactions.
        title: column of the title, or a pattern.
        text: column of the text for text encoders, or a pattern such as "{name}. {brand}. {description}"; the words
            and the punctuation around a blank column are left out. Lists are joined by commas.
        image: pattern of image files such as "photos/{sku}.jpg" ("photos/{sku}.*" takes any usual ending), or the
            column that holds their paths. A file that does not exist means no image.
        images: folder where image paths start; the folder of the files if null. Set it where `image` is a column:
            only then is the dataset prepared again when images are added or removed.
        image_url: column of the image's address, or a pattern.
        attributes: columns of facts, or a mapping of fact to column.
        list_separator: text between several values of a fact, as in "Action|Drama", or a mapping of fact to separator.
        format: how separated values are written.
    """

    files: str | list[str]
    id: str | None = None
    title: str | None = None
    text: str | None = None
    image: str | None = None
    images: str | None = None
    image_url: str | None = None
    attributes: list[str] | dict[str, str] | None = None
    list_separator: str | dict[str, str] | None = None
    format: TableFormat = TableFormat()  # noqa: RUF009  frozen

    def __post_init__(self) -> None:
        _ = self.templates  # raises for a malformed pattern
        if self.images is not None and self.image is None:
            words = "images is the folder where image paths start, but image is null: set it too"
            raise InvalidArgument("images", words)
        separated = self.list_separator if isinstance(self.list_separator, dict) else {}
        for fact in separated.keys() - self.facts.keys():
            words = f"list_separator: no fact {fact!r} among attributes ({', '.join(self.facts)})"
            raise InvalidArgument("list_separator", words)

    @cached_property
    def templates(self) -> dict[str, Template]:
        """The patterns by option, those that are given."""
        options = ("id", "title", "text", "image", "image_url")
        return {
            option: Template.parse(pattern, option)
            for option in options
            if (pattern := getattr(self, option)) is not None
        }

    @property
    def facts(self) -> dict[str, str]:
        """The column of each fact."""
        facts = self.attributes or {}
        return facts if isinstance(facts, dict) else {name: name for name in facts}

    def options(self) -> dict[str, object]:
        """Return the options that change the result, files by name, and where images start if no listing tells it."""
        images = str(self.base()) if self.image is not None and self.image_folder() is None else None
        return {**asdict(self), "files": [file.name for file in self.paths()], "images": images}

    def paths(self) -> list[Path]:
        """Return the files. Raises UserError if one is missing or is not a table."""
        return find_tables(self.files, "items.files")

    def base(self) -> Path:
        """Return the folder where image paths start."""
        if self.images is not None:
            return find_raw(self.images)
        folders = sorted({file.parent for file in self.paths()})
        if len(folders) > 1 and self.image is not None:
            raise UserError(f"item files lie in {folders[0]} and {folders[1]}: set items.images to one folder")
        return folders[0]

    def image_folder(self) -> Path | None:
        """Return the folder before the first column of the pattern; where `image` is a column, the folder `images`.

        Without `images` the paths in a column may lead anywhere: no folder's listing decides the result.
        """
        if self.image is not None and "{" in self.image:
            return self.base() / self.templates["image"].literals[0].rpartition("/")[0]
        return None if self.images is None else self.base()

    def read(self, item: str, events: pl.Series) -> Items:
        """Read the records of all files as if they were one.

        Args:
            item: column or pattern of the item's id in the interactions.
            events: ids of the items in the interactions.

        Raises:
            UserError: a file cannot be read or lacks a column, or no item of the interactions has a record.
        """
        tables = [open_table(file, self.format) for file in self.paths()]
        reader = _Reader(self, Template.parse(self.id or item, "items.id"))
        require_columns(tables, reader.columns())
        records = reader.read(tables)
        notes = reader.notes() | _compare_ids(events, item, records.items, reader.item.pattern, tables[0].path)
        return Items(records.items, records.rows_read, records.rejected, records.repeated, notes)


@dataclass(frozen=True)
class Items:
    """Records that have been read.

    Args:
        items: columns `ITEM_COLUMNS`, the first record of each id.
        rows_read: number of records, good or bad.
        rejected: bad ones by kind.
        repeated: number of records after the first of their id.
        notes: ids whose spelling was changed, images and records that are missing.
    """

    items: pl.DataFrame
    rows_read: int
    rejected: dict[str, Rejected]
    repeated: int
    notes: dict[str, Note]


class _Reader:
    def __init__(self, options: ItemRecords, item: Template) -> None:
        self.options = options
        self.item = item
        self.folder = options.base()
        self.images = self.spelled = self.found = 0
        self.lacking: str | None = None
        self.respelled: str | None = None

    def columns(self) -> dict[str, Sequence[str]]:
        """Return the columns by the option that names them."""
        templates = {**self.options.templates, "id": self.item}
        columns: dict[str, Sequence[str]] = {
            f"items.{option}": pattern.columns for option, pattern in templates.items()
        }
        return columns | {"items.attributes": list(self.options.facts.values())}

    def read(self, tables: Sequence[Table]) -> Items:
        columns = [column for columns in self.columns().values() for column in columns]
        rows: dict[str, Row] = {}
        bad: dict[str, tuple[int, Table, int]] = {}
        read = repeated = 0
        for table in tables:
            for number, record in table.records(columns):
                read += 1
                item = self._id(record) if record is not None else ""
                fault = _fault(record, item)
                if fault is not None:
                    count, first_table, first = bad.get(fault, (0, table, number))
                    bad[fault] = (count + 1, first_table, first)
                elif item in rows:
                    repeated += 1
                elif record is not None:
                    rows[item] = self._row(item, record)
        rejected = {fault: Rejected(count, table.place(first)) for fault, (count, table, first) in bad.items()}
        return Items(pl.DataFrame(list(rows.values()), ITEM_COLUMNS, orient="row"), read, rejected, repeated, {})

    def notes(self) -> dict[str, Note]:
        notes = {}
        if self.respelled is not None:
            notes["item records with invisible characters in their id, in one spelling"] = Note(
                self.spelled, self.respelled
            )
        if self.lacking is not None:
            kind = "item records whose image file does not exist"
            notes[f"{kind} (all of them: check items.image)" if not self.found else kind] = Note(
                self.images, self.lacking
            )
        return notes

    def _id(self, record: Record) -> str:
        values = {column: id_of(record.get(column)) or "" for column in self.item.columns}
        if self.item.columns != (self.item.pattern,):
            values = {column: value.strip() for column, value in values.items()}
        text = self.item.fill(values)
        item = one_spelling(text)
        if item != text.strip():
            self.spelled += 1
            self.respelled = self.respelled or f"{text!a} is read as {item!a}"
        return item

    def _row(self, item: str, record: Record) -> Row:
        title, text = (self._write(option, record) for option in ("title", "text"))
        url = self.options.templates.get("image_url")
        address = None if url is None else url.fill(_first(url, record)) or None
        facts = {fact: self._values(fact, record.get(column)) for fact, column in self.options.facts.items()}
        known = {fact: value for fact, value in facts.items() if value}
        return item, title, text, self._image(record), address, json.dumps(known, ensure_ascii=False) if known else None

    def _write(self, option: str, record: Record) -> str | None:
        template = self.options.templates.get(option)
        if template is None:
            return None
        values = {name: ", ".join(map(plain_text, texts_of(record.get(name)))) for name in template.columns}
        return template.write(values) or None

    def _image(self, record: Record) -> str | None:
        template = self.options.templates.get("image")
        path = "" if template is None else template.fill(_first(template, record))
        if not path:
            return None
        place = os.path.join(self.folder, path)
        endings = IMAGE_ENDINGS if place.endswith(ANY_ENDING) else ("",)
        places = (place.removesuffix(ANY_ENDING) + ending for ending in endings)
        image = next(filter(os.path.isfile, places), None)
        if image is None:
            self.images += 1
            self.lacking = self.lacking or place
        else:
            self.found += 1
        return image

    def _values(self, fact: str, value: object) -> str | list[str] | None:
        texts = [text for text in map(plain_text, texts_of(value)) if text]
        if isinstance(value, list | dict):
            return texts
        text = texts[0] if texts else None
        separators = self.options.list_separator
        separator = separators if isinstance(separators, str | None) else separators.get(fact)
        if text is None or not separator or separator not in text:
            return text
        return [part.strip() for part in text.split(separator) if part.strip()]


def _fault(record: Record | None, item: str) -> str | None:
    if record is None:
        return "broken JSON"
    if record.get(BEYOND) is not None:
        return "item record with too many fields"
    if not item:
        return "item record without id"
    if item.lower() in PLACEHOLDERS:
        return "item record with a placeholder for its id"
    return "item record with malformed id" if re.search(MALFORMED, item) else None


def _first(template: Template, record: Record) -> dict[str, str]:
    """Return the values of a template's columns, the first of a list."""
    values = {name: texts_of(record.get(name)) for name in template.columns}
    return {name: texts[0] for name, texts in values.items() if texts}


def _compare_ids(events: pl.Series, item: str, items: pl.DataFrame, record: str, file: Path) -> dict[str, Note]:
    """Return a note on items of the interactions that have no record.

    Args:
        events: ids of the items in the interactions.
        item: column or pattern of these ids.
        items: the records.
        record: column or pattern of their ids.
        file: the first file of records.

    Raises:
        UserError: no item has a record, so the id column is probably wrong.
    """
    ids = events.unique(maintain_order=True).cast(pl.String)
    records = items["item"]
    if not len(ids) or not len(records):
        return {}
    lacking = ids.filter(~ids.is_in(records.implode()))
    if not len(lacking):
        return {}
    hint = next(_hints(lacking, item, records, record), "")
    if len(lacking) == len(ids):
        raise UserError(
            f"{file}: no record of any item of the interactions; their ids are like {ids[0]!r}, those here like "
            f"{records[0]!r}: {hint or 'set item and items.id to columns of the same ids'}"
        )
    example = f"{lacking[0]!r}; ids in {file.name} are like {records[0]!r}" + (f": {hint}" if hint else "")
    return {f"items without a record in {file.name} (of {len(ids):,})": Note(len(lacking), example)}


def _hints(events: pl.Series, item: str, records: pl.Series, record: str) -> Iterator[str]:
    """Yield advice on ids that differ only by zeros before them, or by upper and lower case."""
    for one, other, option, column in ((events, records, "items.id", record), (records, events, "item", item)):
        bare = dict(zip(one.str.strip_chars_start("0"), one, strict=True))
        for short in other.filter(other.is_in(list(bare))):
            if (whole := bare[short]) != short:
                pattern = f"'{{{column}:0>{len(whole)}}}'"
                yield f"{short!r} seems to be {whole!r} without its zeros: set {option} to {pattern}"
    lower = dict(zip(records.str.to_lowercase(), records, strict=True))
    for name in events:
        if name.lower() in lower:
            yield f"{name!r} and {lower[name.lower()]!r} differ by upper and lower case: write them alike"
