"""Tables of separated values, Parquet or JSON lines behind one interface; `open_table` decides once which it is."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import polars as pl

from mmrec.data.schema import Rejected
from mmrec.data.sources.readers.csv import SURPLUS, CsvFile, Dialect
from mmrec.data.sources.readers.ids import UNUSABLE, id_of
from mmrec.data.sources.readers.jsonl import Record, has_lost_digits, holds_key, iter_records, read_table, repeats_a_key
from mmrec.data.sources.readers.paths import open_raw
from mmrec.data.sources.tabular.values import written
from mmrec.errors import UserError, require
from mmrec.utils.suggest import did_you_mean

BEYOND = f"\0{SURPLUS}"
"""Column of the text after the last field of a row of separated values; no header can hold its name."""
FILLED = "\0filled"
"""Column of whether a row holds anything: a blank line among separated values does not."""
FIRST = 100  # records of JSON lines whose keys are shown as columns in messages

NOT_AN_ID = r"^(?:true|false|[\[{].*|-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))$"
"""A value that cannot be an id, or was not a string, as Polars writes it; "7.5" is an id, 7.5 is not."""


@dataclass(frozen=True, kw_only=True)
class TableFormat:
    r"""How the values of CSV and TSV files are written.

    Args:
        separator: one character between values; if null a tab in .tsv files and a comma in others.
        quote: one character around values; null where quotation marks are text like any other.
        decimal: the decimal mark of ratings and weights, "." or ",". With a comma, values that have a point are
            malformed, except in JSON lines, whose numbers have points.
    """

    separator: str | None = None
    quote: str | None = '"'
    decimal: str = "."

    def __post_init__(self) -> None:
        for option, mark in (("separator", self.separator), ("quote", self.quote)):
            fits = not mark or mark == r"\t" or (len(mark) == 1 and mark.isascii())
            require(fits, option, repr(mark), "one ASCII character")
        require(self.decimal in (".", ","), "decimal", repr(self.decimal), "'.' or ','")


@dataclass(frozen=True)
class Rows:
    """The rows of a table.

    Args:
        frame: the wanted columns under their own names, `FILLED` and, of separated values, `BEYOND`.
        place: returns where a row (counted from 0) is, for example "file:line".
        rejected: lines that are not rows.
    """

    frame: pl.LazyFrame
    place: Callable[[int], str]
    rejected: dict[str, Rejected]


class Table(ABC):
    """A file of rows with named columns.

    Args:
        path: the file.
    """

    has_decimal_points = False
    """Whether numbers may have a decimal point, whatever the format says."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def columns(self) -> list[str]:
        """The names of the columns. Raises UserError if the file cannot be read."""
        return self._read_columns()

    @abstractmethod
    def _read_columns(self) -> list[str]: ...

    @abstractmethod
    def rows(self, ids: Collection[str], others: Collection[str]) -> Rows:
        """Return some columns of single values; collect the frame within `reading`.

        Args:
            ids: columns of ids: text or whole numbers.
            others: columns of text or numbers.

        Raises:
            UserError: the file cannot be read.
        """

    @abstractmethod
    def records(self, columns: Collection[str]) -> Iterator[tuple[int, Record | None]]:
        """Yield each row with its number, see `place`; None where a line of JSON holds no object.

        Raises:
            UserError: the file cannot be read, or is not in UTF-8.
        """

    @abstractmethod
    def place(self, number: int) -> str:
        """Return where the row of a number that `records` has given is, for example "file:line"."""

    def has(self, column: str) -> bool:
        """Return whether the table has a column.

        Raises:
            UserError: the file cannot be read, or several columns have this name.
        """
        if self.columns.count(column) > 1:
            raise UserError(f"{self.path}:1: {self.columns.count(column)} columns are named {column!r}: rename them")
        return column in self.columns

    def first(self, column: str, count: int) -> tuple[pl.DataFrame, Callable[[int], str]]:
        """Return the first values of a column, and what says where each is. Raises UserError."""
        rows = self.rows([], [column])
        with self.reading():
            return rows.frame.select(column).head(count).collect(), rows.place

    def reading(self) -> AbstractContextManager[None]:
        """Return a context in which the errors of a library that reads the file are UserErrors."""
        return nullcontext()

    def separator_hint(self) -> str:
        """Return advice for a message on a missing column: another separator seems to be in use."""
        return ""


class CsvTable(Table):
    """A table of separated values with a line of column names."""

    def __init__(self, path: Path, format: TableFormat) -> None:
        super().__init__(path)
        default = "\t" if re.search(r"\.(?:tsv|inter|item)\b", path.name.lower()) else ","
        self.file = CsvFile(path, Dialect((format.separator or default).replace(r"\t", "\t"), format.quote or None))

    def reading(self) -> AbstractContextManager[None]:
        """Return the context of a file of separated values."""
        return self.file.reading()

    def _read_columns(self) -> list[str]:
        return self.file.columns

    @cached_property
    def _scan(self) -> pl.LazyFrame:
        return self.file.scan([str(place) for place in range(len(self.columns))])  # names may be blank or repeated

    def _select(self, columns: Collection[str]) -> pl.LazyFrame:
        return self._scan.select(
            *(pl.col(str(self.columns.index(column))).alias(column) for column in dict.fromkeys(columns)),
            pl.col(SURPLUS).alias(BEYOND),
            pl.any_horizontal(pl.all().is_not_null()).alias(FILLED),
        )

    def rows(self, ids: Collection[str], others: Collection[str]) -> Rows:
        """Return some columns of single values."""
        return Rows(self._select([*ids, *others]), self.place, {})

    def records(self, columns: Collection[str]) -> Iterator[tuple[int, Record | None]]:
        """Yield each row with its number."""
        with self.reading():
            table = self._select(columns).collect()
        texts = table.select(pl.selectors.string())
        if texts.select(pl.any_horizontal(pl.all().str.contains(UNUSABLE, literal=True).any())).item():
            self.file.require_utf8()
        for number, record in enumerate(table.iter_rows(named=True)):
            if record[FILLED]:
                yield number, record

    def place(self, number: int) -> str:
        """Return where a row is."""
        return f"{self.path}:{self.file.line_of(number)}"

    def separator_hint(self) -> str:
        """Return advice where the only column has the separators of several in its name."""
        others = [mark for mark in (",", ";", "\t", "|") if len(self.columns) == 1 and mark in self.columns[0]]
        return f", or format.separator to {others[0]!r}" if others else ""


class ParquetTable(Table):
    """A table in Parquet."""

    def _read_columns(self) -> list[str]:
        with self.reading():
            return pl.scan_parquet(self.path, glob=False).collect_schema().names()

    def rows(self, ids: Collection[str], others: Collection[str]) -> Rows:
        """Return some columns of single values."""
        with self.reading():
            columns = dict.fromkeys([*ids, *others])
            frame = pl.scan_parquet(self.path, glob=False).select(*columns, pl.lit(True).alias(FILLED))
        return Rows(frame, self.place, {})

    def records(self, columns: Collection[str]) -> Iterator[tuple[int, Record | None]]:
        """Yield each row with its number."""
        with self.reading():
            table = self.rows([], columns).frame.collect()
        yield from enumerate(table.iter_rows(named=True))

    def place(self, number: int) -> str:
        """Return where a row is."""
        return f"{self.path}: row {number + 1}"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Return the context of a Parquet file."""
        try:
            yield
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.path}: not readable as Parquet ({reason}): write or download it again") from error


class JsonLinesTable(Table):
    """A table of JSON objects, one per line; a column is a key of any of them."""

    has_decimal_points = True

    def _read_columns(self) -> list[str]:
        """Return the keys of the first records."""
        records = [record for _, record in islice(iter_records(self.path), FIRST) if record is not None]
        with open_raw(self.path) as stream:
            if not records and stream.read(100).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                raise UserError(f"{self.path}:1: a JSON array: write one record per line, as jq -c '.[]' does")
        return list(dict.fromkeys(key for record in records for key in record))

    def has(self, column: str) -> bool:
        """Return whether any record has a key."""
        return column in self.columns or holds_key(self.path, column)

    def rows(self, ids: Collection[str], others: Collection[str]) -> Rows:
        """Return some columns of single values."""
        columns = list(dict.fromkeys([*ids, *others]))

        def clean(block: bytes) -> pl.DataFrame | None:
            return _read_block(block, columns, ids)

        def convert(record: Record) -> tuple[str | None, ...]:
            return tuple((id_of if name in ids else written)(record.get(name)) for name in columns)

        table, lines, broken = read_table(self.path, pl.Schema(dict.fromkeys(columns, pl.String())), clean, convert)
        rows = table.lazy().select(*columns, pl.lit(True).alias(FILLED))
        return Rows(rows, lambda row: self.place(lines[row]), broken)

    def first(self, column: str, count: int) -> tuple[pl.DataFrame, Callable[[int], str]]:
        """Return the first values of a column, of the first lines only."""
        lines = islice(iter_records(self.path), count)
        records = [(line, record.get(column)) for line, record in lines if record is not None]
        values = pl.Series([written(value) for _, value in records], dtype=pl.String)
        return pl.DataFrame({column: values}), lambda row: self.place(records[row][0])

    def records(self, columns: Collection[str]) -> Iterator[tuple[int, Record | None]]:
        """Yield each row with its number."""
        yield from iter_records(self.path)

    def place(self, number: int) -> str:
        """Return where a row is."""
        return f"{self.path}:{number}"


ENDINGS: dict[str, type[Table]] = {
    ".csv": CsvTable,
    ".tsv": CsvTable,
    ".inter": CsvTable,
    ".item": CsvTable,
    ".parquet": ParquetTable,
    ".jsonl": JsonLinesTable,
    ".ndjson": JsonLinesTable,
    ".json": JsonLinesTable,
}


def is_table(file: Path) -> bool:
    """Return whether a file is named as a table is; all but Parquet may be compressed (.gz)."""
    return _kind(file) is not None


def open_table(file: Path, format: TableFormat = TableFormat()) -> Table:
    """Return the table in a file, by its name.

    Args:
        file: named as `is_table` says.
        format: how separated values are written.
    """
    kind = _kind(file)
    assert kind is not None  # `find_tables` returns only tables
    return CsvTable(file, format) if kind is CsvTable else kind(file)


def _kind(file: Path) -> type[Table] | None:
    name = file.name.lower()
    plain = name.removesuffix(".gz")
    kind = next((kind for ending, kind in ENDINGS.items() if plain.endswith(ending)), None)
    return None if kind is ParquetTable and plain != name else kind


def _read_block(block: bytes, columns: Sequence[str], ids: Collection[str]) -> pl.DataFrame | None:
    """Read a block of lines; None if a value of any type may not be an id."""
    try:
        table = pl.read_ndjson(block, schema=dict.fromkeys(columns, pl.String))
    except pl.exceptions.PolarsError:
        return None
    if repeats_a_key(block, table):
        return None
    for name in ids:
        value = pl.col(name)
        if table.select((value.is_null() | value.str.contains(NOT_AN_ID)).any()).item():
            return None
    return None if has_lost_digits(block, table.select(*ids)) else table


def require_columns(tables: Sequence[Table], wanted: Mapping[str, Collection[str]]) -> None:
    """Check that tables have the columns that options name; of JSON lines one file with the key is enough.

    Args:
        tables: they are read as if they were one.
        wanted: columns by option.

    Raises:
        UserError: a column is missing, or a file cannot be read.
    """
    lines = [table for table in tables if isinstance(table, JsonLinesTable)]
    for table in tables:
        for option, columns in wanted.items():
            for column in columns:
                if table.has(column) or (table in lines and any(other.has(column) for other in lines)):
                    continue
                if table in lines and not table.columns:
                    continue  # without records
                near = next((name for name in table.columns if name.lower() == column.lower()), None)
                hint = table.separator_hint() if near is None else f" to {near!r}, as it is written there"
                names = ", ".join(map(repr, table.columns))
                meant = hint or did_you_mean(column, table.columns)
                raise UserError(f"{table.path}: no column {column!r} among {names}: set {option}{meant}")
