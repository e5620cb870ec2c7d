"""Anyone's tables: interactions and items in CSV, Parquet or JSON lines, read by a mapping of columns."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Source
from mmrec.data.sources.readers.paths import find_raw
from mmrec.data.sources.tabular.event_tables import read_events
from mmrec.data.sources.tabular.files import find_tables
from mmrec.data.sources.tabular.item_records import ItemMapping, read_items
from mmrec.data.sources.tabular.tables import Dialect, require_columns
from mmrec.data.sources.tabular.template import Template
from mmrec.data.sources.tabular.times import check_unit
from mmrec.errors import UserError, require, require_folder_name

PREFIX = "data.source.init_args."
ITEM_OPTIONS = ("item_id", "title", "text", "image", "images", "image_url", "attributes")


class Tabular(Source):
    """Tables of one's own: interactions, one row each, and, if there are any, records of the items.

    Files end in .csv, .tsv, .parquet, .jsonl, .ndjson or .json (one JSON object a line); all but Parquet may be
    compressed (.gz). Several are read in the order of their paths as if they were one. Separated values are in UTF-8
    and begin with a line of column names. A row stands at `file:line`, in Parquet at `file: row n`.

    An id is text or a whole number. Text is taken as it is ("007" is not "7"), numbers of Parquet and JSON in decimals
    (7, 7.0 and "7" are one id); other numbers and booleans are malformed.

    Args:
        interactions: a file, a folder, a pattern such as `orders/*.csv` (`**` for any depth), or a list of these; where
            they are looked for says `find_raw`.
        user: column of the user's id.
        item: column of the item's id.
        time: column of the time.
        time_unit: how times are written.
            `auto` tells it by the first values of each file, and by all if many do not fit: ISO 8601, or a count of
            seconds, milliseconds, microseconds or nanoseconds since 1970 (none before March 1973 unless all are: among
            others it was cut off). Years alone are refused.
            `iso` is a date, or a date and time with or without a zone: "2024-01-31", "2024-01-31 18:05",
            "2024-01-31T18:05:07.5Z", "2024-01-31T18:05:07+02:00". `seconds`, `milliseconds`, `microseconds` and
            `nanoseconds` are counts. Anything else is a format such as "%d/%m/%Y %H:%M". Times without a zone are UTC.
            Parquet columns of dates and datetimes need no unit.
        rating: column of how much the user liked the item.
        weight: column of how much of the item there was: pieces, plays, minutes.
        items: files with records of the items, named like `interactions`; of several with an id the first counts.
        item_id: their column of the item's id; the name that `item` gives if null.
        title: their column of the title, or a template.
        text: their column of what a text encoder may read, or a template such as "{name}. {brand}. {description}"; a
            blank column takes the words and the punctuation that belong to it along. Lists are joined by commas.
        image: a pattern of image files such as "photos/{sku}.jpg" ("photos/{sku}.*" takes any usual ending), or the
            column that holds their paths. A file that does not exist is no image.
        images: folder where image paths start; the folder of the item files if null. Name it where `image` is a column:
            only then do images that have come or gone make the dataset anew.
        image_url: column of the image's address, or a pattern.
        attributes: columns of facts, or a mapping of fact to column.
        list_separator: what separates several values of a fact in text such as "Action|Drama", or a mapping of fact to
            separator.
        separator: one character between values; if null a tab in .tsv files, and a comma in others.
        quote: one character around values; null where quotation marks mean nothing.
        name: of the dataset.

    Raises:
        UserError: an option is malformed, or does not go with the others.
    """

    def __init__(
        self,
        interactions: str | list[str],
        user: str,
        item: str,
        time: str,
        time_unit: str = "auto",
        rating: str | None = None,
        weight: str | None = None,
        items: str | list[str] | None = None,
        item_id: str | None = None,
        title: str | None = None,
        text: str | None = None,
        image: str | None = None,
        images: str | None = None,
        image_url: str | None = None,
        attributes: list[str] | dict[str, str] | None = None,
        list_separator: str | dict[str, str] | None = None,
        separator: str | None = None,
        quote: str | None = '"',
        name: str = "tabular",
    ) -> None:
        self.name = name
        self.interactions = interactions
        columns = {"user": user, "item": item, "time": time, "rating": rating, "weight": weight}
        self.columns = {option: column for option, column in columns.items() if column is not None}
        self.time_unit = time_unit
        self.items = items
        self.item_id = item_id
        self.title = title
        self.text = text
        self.image = image
        self.images = images
        self.image_url = image_url
        self.attributes = attributes
        self.list_separator = list_separator
        self.dialect = Dialect("\t" if separator == r"\t" else separator, quote or None)
        self._check()

    def options(self) -> dict[str, object]:
        """Return the columns, patterns and formats, the names of the files by their part, and where images start.

        The latter only where `image_folder` does not tell it: the dataset holds absolute paths of images.
        """
        names = ("time_unit", "item_id", "title", "text", "image", "image_url", "attributes", "list_separator")
        return {
            "interactions": [file.name for file in self._interaction_files()],
            "columns": self.columns,
            "items": [file.name for file in self._item_files()],
            **{name: getattr(self, name) for name in names},
            "images": str(self._base()) if self.image is not None and self.image_folder() is None else None,
            "separator": self.dialect.separator,
            "quote": self.dialect.quote,
        }

    def files(self) -> list[Path]:
        """Return the interactions and the item records.

        Raises:
            UserError: one is missing.
        """
        return [*self._interaction_files(), *self._item_files()]

    def image_folder(self) -> Path | None:
        """Return the folder before the first column of the pattern; where `image` is a column, the folder `images`.

        Without `images` the paths in a column may lead anywhere: there is no folder whose listing decides the result.
        """
        if self.image is not None and "{" in self.image:
            fixed = Template.parse(self.image, PREFIX + "image").literals[0]
            return self._base() / fixed.rpartition("/")[0]
        return None if self.images is None else self._base()

    def require_downloadable(self) -> None:
        """Check that images named by their item's id, whatever their ending, would be found.

        Raises:
            UserError: `image` is a column, or another pattern than `<folder>/{id}.*`.
        """
        wanted = "{" + (self.item_id or self.columns["item"]) + "}.*"
        folder, _, name = (self.image or "").rpartition("/")
        if name != wanted or "{" in folder:
            raise UserError(
                f"downloaded images are named by the item's id and would not be found by {PREFIX}image "
                f"({self.image}): set it to 'images/{wanted}', say"
            )

    def read(self) -> RawData:
        """Read everything.

        Raises:
            UserError: a file cannot be read or lacks a column, times are written in several ways, or no item that was
                interacted with has a record.
        """
        files, item_files = self._interaction_files(), self._item_files()
        require_columns(files, {PREFIX + option: [column] for option, column in self.columns.items()}, self.dialect)
        mapping = self._mapping(self._base() if item_files else None)
        columns = {PREFIX + option: columns for option, columns in mapping.columns().items()}
        require_columns(item_files, columns, self.dialect)
        events, rows_read, rejected = read_events(files, self.columns, self.time_unit, self.dialect)
        if not item_files:
            return RawData(events.lazy(), pl.DataFrame(schema=ITEM_COLUMNS), rows_read, rejected)
        records = read_items(item_files, mapping, self.dialect)
        _require_common_ids(events["item"], records.items["item"], item_files[0])
        return RawData(
            interactions=events.lazy(),
            items=records.items,
            rows_read=rows_read,
            rejected=rejected,
            item_rows_read=records.rows_read,
            rejected_items=records.rejected,
            repeated_items=records.repeated,
        )

    def _check(self) -> None:
        given = [option for option in ITEM_OPTIONS if getattr(self, option)]
        if self.items is None and given:
            raise UserError(f"{PREFIX}{given[0]} is about item files, but {PREFIX}items names none: set it too")
        if self.images is not None and self.image is None:
            raise UserError(f"{PREFIX}images is where image paths start, but {PREFIX}image gives none: set it too")
        for option, mark in (("separator", self.dialect.separator), ("quote", self.dialect.quote)):
            fits = mark is None or (len(mark) == 1 and mark.isascii())
            require(fits, PREFIX + option, repr(mark), "one ASCII character")
        require_folder_name(self.name, PREFIX + "name")
        check_unit(self.time_unit)
        facts = self._mapping(None).attributes
        separated = self.list_separator if isinstance(self.list_separator, dict) else {}
        for fact in separated.keys() - facts.keys():
            raise UserError(f"{PREFIX}list_separator: no fact {fact!r} among {PREFIX}attributes ({', '.join(facts)})")

    def _interaction_files(self) -> list[Path]:
        return find_tables(self.interactions, PREFIX + "interactions")

    def _item_files(self) -> list[Path]:
        return [] if self.items is None else find_tables(self.items, PREFIX + "items")

    def _base(self) -> Path:
        """Return the folder where image paths start."""
        if self.images is not None:
            return find_raw(self.images)
        folders = sorted({file.parent for file in self._item_files()})
        if len(folders) > 1 and self.image is not None:
            raise UserError(f"item files lie in {folders[0]} and {folders[1]}: set {PREFIX}images to one folder")
        return folders[0]

    def _mapping(self, folder: Path | None) -> ItemMapping:
        """Return the mapping of the items with a folder of the images."""
        templates = {
            option: None if (pattern := getattr(self, option)) is None else Template.parse(pattern, PREFIX + option)
            for option in ("title", "text", "image", "image_url")
        }
        facts = self.attributes or {}
        return ItemMapping(
            item=self.item_id or self.columns["item"],
            **templates,
            attributes=facts if isinstance(facts, dict) else {name: name for name in facts},
            separators=self.list_separator,
            folder=folder,
        )


def _require_common_ids(events: pl.Series, records: pl.Series, file: Path) -> None:
    """Raise an error if no item of the interactions has a record: then the wrong column is taken for its id."""
    ids = events.unique().cast(pl.String)
    if len(ids) and len(records) and not ids.is_in(records.implode()).any():
        raise UserError(
            f"{file}: no record of any item of the interactions; their ids are like {events[0]!r}, those here like "
            f"{records[0]!r}: set {PREFIX}item and {PREFIX}item_id to columns of the same ids"
        )
