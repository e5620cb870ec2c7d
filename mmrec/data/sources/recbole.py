"""RecBole's atomic files: `<name>.inter` and, if it is there, `<name>.item`, with `name:type` headers."""

from __future__ import annotations

from pathlib import Path

from mmrec.data.schema import RawData, Source
from mmrec.data.sources.readers.paths import find_raw
from mmrec.data.sources.tabular import ItemRecords, TableFormat, Tabular, open_table
from mmrec.errors import UserError, require_folder_name

FORMAT = TableFormat(separator="\t", quote=None)
TITLES = ("title", "name")


class RecBole(Source):
    r"""A dataset in RecBole's atomic files, separated by tabs.

    Of the interactions the columns `user_id:token`, `item_id:token` and, where they are there, `timestamp:float` and
    `rating:float` are read; without timestamps the order of the rows counts. Of the items the title is the first
    column with "title" or "name" in its name; all columns of type token and token_seq make the text and the facts.

    Args:
        path: the folder of the files, or the file of the interactions, see `find_raw`.
        user: name of the user's column, without its type.
        item: name of the item's column.
        time: name of the column of the time.
        rating: name of the column of the rating.
        title: name of the column of the title; chosen by the names if null.
        image: pattern of image files such as "images/{item_id:token}.jpg", starting at the folder of the files; null
            without images.
        name: the dataset's name; that of the file if null.

    Raises:
        InvalidArgument: the name is not valid for a folder.
    """

    def __init__(
        self,
        path: str,
        *,
        user: str = "user_id",
        item: str = "item_id",
        time: str = "timestamp",
        rating: str = "rating",
        title: str | None = None,
        image: str | None = None,
        name: str | None = None,
    ) -> None:
        self.path = path
        self.names = {"user": user, "item": item, "time": time, "rating": rating}
        self.title = title
        self.image = image
        self.name = name or Path(path).name.split(".")[0]
        require_folder_name(self.name, "name")

    def options(self) -> dict[str, object]:
        """Return the options of the tables that the files are read as."""
        return self._tables().options()

    def files(self) -> list[Path]:
        """Return the interactions and, if there are any, the items. Raises UserError if one is missing."""
        place = find_raw(self.path)
        found = [place] if place.is_file() else sorted(place.glob("*.inter"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise UserError(f"{place} must hold one file that ends in .inter, but holds {names}: name it in path")
        items = found[0].with_suffix(".item")
        return [found[0], *([items] if items.is_file() else [])]

    def image_folder(self) -> Path | None:
        """Return the folder of the images, see `ItemRecords.image_folder`."""
        return self._tables().image_folder()

    def read(self) -> RawData:
        """Read everything.

        Raises:
            UserError: a file cannot be read or lacks a column, or no item of the interactions has a record.
        """
        return self._tables().read()

    def _tables(self) -> Tabular:
        files = self.files()
        columns = _columns(files[0])
        found = {option: columns.get(name, f"{name}:token") for option, name in self.names.items()}
        time, rating = (found[option] if self.names[option] in columns else None for option in ("time", "rating"))
        return Tabular(
            str(files[0]),
            user=found["user"],
            item=found["item"],
            time=time,
            rating=rating,
            order="file" if time is None else "time",
            items=self._items(files[1]) if len(files) > 1 else None,
            format=FORMAT,
            name=self.name,
        )

    def _items(self, file: Path) -> ItemRecords:
        columns = _columns(file)
        texts = {name: column for name, column in columns.items() if column.endswith((":token", ":token_seq"))}
        item = texts.pop(self.names["item"], f"{self.names['item']}:token")
        title = self.title or next((name for name in texts if any(word in name.lower() for word in TITLES)), None)
        facts = {name: column for name, column in texts.items() if name != title}
        several = {name: " " for name, column in facts.items() if column.endswith("_seq")}
        words = [*([columns[title]] if title in columns else []), *facts.values()]
        return ItemRecords(
            files=str(file),
            id=item,
            title=columns.get(title) if title is not None else None,
            text=". ".join(f"{{{column}}}" for column in words) or None,
            image=self.image,
            attributes=facts,
            list_separator=several or None,
            format=FORMAT,
        )


def _columns(file: Path) -> dict[str, str]:
    """Return the columns of an atomic file by their names without types. Raises UserError if it has no types."""
    columns = open_table(file, FORMAT).columns
    if not all(":" in column for column in columns):
        raise UserError(f"{file}:1: expected columns such as user_id:token between tabs, found {', '.join(columns)}")
    return {column.rsplit(":", 1)[0]: column for column in columns}
