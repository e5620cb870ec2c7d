"""Histories as text, one user per line, as SASRec, S3-Rec and MicroLens publish them: an order and no times."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmrec.data.schema import ITEM_COLUMNS, RawData, Rejected, Source, merge_rejected
from mmrec.data.sources.readers.events import check_events
from mmrec.data.sources.readers.paths import UNREADABLE, find_raw, open_raw
from mmrec.data.sources.tabular import ItemRecords, add_items
from mmrec.errors import UserError, require_folder_name

FIELD = r"[^ \t\r]+"


class Sequences(Source):
    """Users and their items, oldest first: `user item item item` on each line.

    Ids are separated by blanks or tabs, so `user<TAB>item item item` is read too. A user may have several lines, as in
    the files of SASRec with one `user item` per line; they are joined in the order of the file.

    Args:
        path: the text file, in UTF-8, plain or gzip, see `find_raw`.
        items: records of the items, by default with the id in the column `item`; null without any.
        name: the dataset's name.

    Raises:
        InvalidArgument: the name is not valid for a folder.
    """

    def __init__(self, path: str, items: ItemRecords | None = None, name: str = "sequences") -> None:
        require_folder_name(name, "name")
        self.path = path
        self.items = items
        self.name = name

    def options(self) -> dict[str, object]:
        """Return the options of the item records."""
        return {"items": None if self.items is None else self.items.options()}

    def files(self) -> list[Path]:
        """Return the text file and the item records.

        Raises:
            UserError: one is missing.
        """
        path = find_raw(self.path)
        if not path.is_file():
            raise UserError(f"{path} is a folder: name the text file in it in the option path")
        return [path, *([] if self.items is None else self.items.paths())]

    def image_folder(self) -> Path | None:
        """Return the folder of the images, see `ItemRecords.image_folder`."""
        return None if self.items is None else self.items.image_folder()

    def read(self) -> RawData:
        """Read everything.

        Raises:
            UserError: a file cannot be read, or no item of the histories has a record.
        """
        file = self.files()[0]
        lines = _read_lines(file)
        short = lines.filter(pl.col("items").list.len() == 0)
        rows = lines.drop("text").explode("items", empty_as_null=False)
        numbers = rows["line"]
        checked = rows.select("user", item="items", timestamp=pl.int_range(pl.len(), dtype=pl.Int64)).lazy()
        events = check_events(checked, lambda row: f"{file}:{numbers[row]}", timed=False)
        bad = {}
        if short.height:
            bad["user without items"] = Rejected(short.height, f"{file}:{short['line'][0]}", short["text"][0][:60])
        raw = RawData(
            interactions=events.rows.lazy(),
            items=pl.DataFrame(schema=ITEM_COLUMNS),
            rows_read=events.count + short.height,
            rejected=merge_rejected(bad, events.rejected),
            notes=events.notes,
            timed=False,
        )
        if self.items is not None:
            add_items(raw, self.items, self.items.id or "item", events.rows["item"])
        return raw


def _read_lines(file: Path) -> pl.DataFrame:
    """Return line (from 1), text, user and items (a list) of each line that is not blank. Raises UserError."""
    try:
        with open_raw(file) as stream:
            text = stream.read().decode("utf-8-sig", errors="replace")
    except UNREADABLE as error:
        raise UserError(f"{file}: the gzip data breaks off or is damaged ({error}): download it again") from None
    fields = pl.col("text").str.extract_all(FIELD)
    return (
        pl.DataFrame({"text": text.split("\n")})
        .with_row_index("line", 1)
        .with_columns(user=fields.list.first(), items=fields.list.slice(1))
        .filter(pl.col("user").is_not_null())
    )
