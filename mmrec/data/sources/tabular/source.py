"""Tables of a user's own: interactions and items in CSV, Parquet or JSON lines, read by a mapping of columns."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Source
from mmrec.data.sources.tabular.files import find_tables
from mmrec.data.sources.tabular.interactions import EventColumns, Order, read_events
from mmrec.data.sources.tabular.records import ItemRecords
from mmrec.data.sources.tabular.tables import TableFormat, open_table, require_columns
from mmrec.errors import UserError, require_folder_name


class Tabular(Source):
    """Interactions in tables, one row each, and, if there are any, records of the items.

    Files end in .csv, .tsv, .parquet, .jsonl, .ndjson or .json (one JSON object per line); all but Parquet may be
    compressed (.gz). Several are read in the order of their paths as if they were one. Separated values are in UTF-8
    and begin with a line of column names. The place of a row is `file:line`, in Parquet `file: row n`.

    An id is text or a whole number. Text stays as it is ("007" is not "7"), except that blanks around it and
    invisible characters go and its letters are composed (NFC). Numbers of Parquet and JSON are written in decimals (7,
    7.0 and "7" are one id); other numbers and booleans are malformed, and NULL, None, NaN and \\N are not ids.

    Args:
        interactions: a file, a folder, a pattern such as `orders/*.csv` (`**` for any depth), or a list of these, see
            `find_raw` for the folders in which they are looked for.
        user: column of the user's id, or a pattern such as "{shop}-{customer}", see `ItemRecords`.
        item: column of the item's id, or a pattern such as "{article_id:.7}" for its first seven characters.
        time: column of the time; null where `order` is file.
        rating: column of how much the user liked the item.
        weight: column of how much of the item there was: pieces, plays, minutes.
        order: where the order of a user's interactions comes from.
            `time` is a time. `position` is a whole number from 0, given in the column `time`, which orders them.
            `file` is the order of the rows. Without times a split by time and periods are refused.
        time_unit: how times are written.
            `auto` tells it by the first values of each file, and by all if many do not fit: ISO 8601, or a count of
            seconds, milliseconds, microseconds or nanoseconds since 1970 (values before March 1973 are accepted only
            if all are; otherwise they were cut off). Plain years are refused.
            `iso` is a date, or a date and time with or without a zone: "2024-01-31", "2024-01-31 18:05",
            "2024-01-31T18:05:07.5Z", "2024-01-31T18:05:07+02:00". `seconds`, `milliseconds`, `microseconds` and
            `nanoseconds` are counts; `excel` counts days, as a spreadsheet does. Anything else is a format such as
            "%d/%m/%Y %H:%M". Times without a zone are UTC. Parquet columns of dates and datetimes need no unit.
        leave_out: rows of the interactions that are not read: by column, the values that they have there, as text, for
            example {"status": ["returned"], "customer": ["test1"]}.
        items: records of the items; null without any.
        format: how separated values of interactions are written.
        name: the dataset's name.

    Raises:
        InvalidArgument: an option is malformed, or contradicts another.
    """

    def __init__(
        self,
        interactions: str | list[str],
        *,
        user: str,
        item: str,
        time: str | None = None,
        rating: str | None = None,
        weight: str | None = None,
        order: Order = "time",
        time_unit: str = "auto",
        leave_out: dict[str, list[str]] | None = None,
        items: ItemRecords | None = None,
        format: TableFormat = TableFormat(),  # noqa: B008  frozen
        name: str = "tabular",
    ) -> None:
        require_folder_name(name, "name")
        self.name = name
        self.interactions = interactions
        self.columns = EventColumns(
            user=user, item=item, time=time, rating=rating, weight=weight, order=order, time_unit=time_unit,
            leave_out=leave_out or {},
        )  # fmt: skip
        self.items = items
        self.format = format

    def options(self) -> dict[str, object]:
        """Return the options, with files by their names without folders."""
        return {
            "interactions": [file.name for file in self._files()],
            "columns": self.columns.options(),
            "items": None if self.items is None else self.items.options(),
            "format": vars(self.format),
        }

    def files(self) -> list[Path]:
        """Return the interactions and the item records.

        Raises:
            UserError: one is missing.
        """
        return [*self._files(), *([] if self.items is None else self.items.paths())]

    def image_folder(self) -> Path | None:
        """Return the folder of the images, see `ItemRecords.image_folder`."""
        return None if self.items is None else self.items.image_folder()

    def require_downloadable(self) -> None:
        """Check that images named by their item's id, with any ending, would be found.

        Raises:
            UserError: `items.image` is a column, or another pattern than `<folder>/{id}.*`.
        """
        item = self.columns.item if self.items is None else self.items.id or self.columns.item
        image = None if self.items is None else self.items.image
        wanted = (item if "{" in item else f"{{{item}}}") + ".*"
        folder, _, name = (image or "").rpartition("/")
        if name != wanted or "{" in folder:
            raise UserError(
                f"downloaded images are named by the item's id and would not be found by items.image ({image}): set it "
                f"to a pattern such as 'images/{wanted}'"
            )

    def read(self) -> RawData:
        """Read everything.

        Raises:
            UserError: a file cannot be read or lacks a column, times are written in several ways, or no item of the
                interactions has a record.
        """
        tables = [open_table(file, self.format) for file in self._files()]
        require_columns(tables, self.columns.columns())
        events = read_events(tables, self.columns, self.format)
        raw = RawData(
            interactions=events.rows.lazy(),
            items=pl.DataFrame(schema=ITEM_COLUMNS),
            rows_read=events.count,
            rejected=events.rejected,
            notes=events.notes,
            timed=self.columns.order == "time",
        )
        if self.items is not None:
            add_items(raw, self.items, self.columns.item, events.rows["item"])
        return raw

    def _files(self) -> list[Path]:
        return find_tables(self.interactions, "interactions")


def add_items(raw: RawData, records: ItemRecords, item: str, events: pl.Series) -> None:
    """Read the item records of a dataset.

    Args:
        raw: the interactions; the items are added to it.
        records: where the records are.
        item: column or pattern of the item's id in the interactions.
        events: ids of the items in the interactions.

    Raises:
        UserError: a file cannot be read or lacks a column, or no item of the interactions has a record.
    """
    items = records.read(item, events)
    raw.items = items.items
    raw.item_rows_read = items.rows_read
    raw.rejected_items = items.rejected
    raw.repeated_items = items.repeated
    raw.notes = {**raw.notes, **items.notes}
