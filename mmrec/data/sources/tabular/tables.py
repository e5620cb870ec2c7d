"""The rows of a table, whatever it is kept in: separated values, Parquet or JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from mmrec.data.schema import Rejected
from mmrec.data.sources.readers.csv import SURPLUS, explained, line_of, read_header, require_utf8, scan_rows
from mmrec.data.sources.readers.jsonl import Record, holds_key, iter_records
from mmrec.data.sources.readers.paths import open_raw
from mmrec.data.sources.tabular.files import kind_of
from mmrec.data.sources.tabular.jsonl_strings import read_strings, written
from mmrec.data.sources.tabular.values import UNUSABLE
from mmrec.errors import UserError

BEYOND = f"\0{SURPLUS}"
"""Column of what stands after the last field of a row of separated values; no header can hold its name."""
FILLED = "\0filled"
"""Column of whether a row is one at all: a blank line among separated values is not."""
FIRST = 100  # records whose keys stand for the columns of JSON lines in messages


@dataclass(frozen=True)
class Dialect:
    """How separated values are written.

    Args:
        separator: between fields; None is a tab in files named .tsv, and a comma in others.
        quote: around fields; None where quotation marks mean nothing.
    """

    separator: str | None = None
    quote: str | None = '"'

    def separates(self, file: Path) -> str:
        """Return the separator of a file."""
        return self.separator or ("\t" if ".tsv" in file.name.lower() else ",")


@dataclass(frozen=True)
class Table:
    """The rows of one file.

    Args:
        rows: the wanted columns under their own names, `FILLED` and, of separated values, `BEYOND`.
        place: where a row (counted from 0) stands.
        rejected: lines that are no rows.
    """

    rows: pl.LazyFrame
    place: Callable[[int], str]
    rejected: dict[str, Rejected]


def require_columns(files: Sequence[Path], wanted: Mapping[str, Collection[str]], dialect: Dialect) -> None:
    """Check that files have the columns that options name; of JSON lines one file with the key is enough.

    Args:
        files: tables.
        wanted: option to columns.
        dialect: of the separated values.

    Raises:
        UserError: a column is missing, or a file cannot be read.
    """
    lines = [file for file in files if kind_of(file) == "jsonl"]
    for file in files:
        names = _columns(file, dialect)
        for option, columns in wanted.items():
            for column in columns:
                if column in names or (file in lines and any(holds_key(other, column) for other in lines)):
                    continue
                if file in lines and not names:
                    continue  # without records
                raise UserError(
                    f"{file}: no column {column!r} among {', '.join(map(repr, names))}: set {option}"
                    + _hint(file, names, dialect)
                )


def open_table(file: Path, ids: Collection[str], others: Collection[str], dialect: Dialect) -> Table:
    """Open a file to read some columns of single values; collect the rows within `reading`.

    Args:
        file: a table.
        ids: columns of ids: text or whole numbers.
        others: columns of text or numbers.
        dialect: of the separated values.

    Raises:
        UserError: the file cannot be read.
    """
    wanted = list(dict.fromkeys([*ids, *others]))
    if kind_of(file) != "jsonl":
        return Table(_scan(file, wanted, dialect), lambda row: place_of(file, row, dialect), {})
    table, broken = read_strings(file, wanted, ids)
    lines = table["line"]
    rows = table.lazy().select(*wanted, pl.lit(True).alias(FILLED))
    return Table(rows, lambda row: place_of(file, lines[row], dialect), broken)


def read_first(file: Path, column: str, count: int, dialect: Dialect) -> tuple[pl.DataFrame, Callable[[int], str]]:
    """Return the first values of a column, and where each stands.

    Raises:
        UserError: the file cannot be read.
    """
    if kind_of(file) != "jsonl":
        with reading(file, dialect):
            first = _scan(file, [column], dialect).select(column).head(count).collect()
        return first, lambda row: place_of(file, row, dialect)
    records = [(line, record.get(column)) for line, record in islice(iter_records(file), count) if record is not None]
    values = pl.Series([written(value) for _, value in records], dtype=pl.String)
    return pl.DataFrame({column: values}), lambda row: f"{file}:{records[row][0]}"


def read_rows(file: Path, columns: Collection[str], dialect: Dialect) -> Iterator[tuple[int, Record | None]]:
    """Yield each row with its number, see `place_of`; None where a line of JSON holds no object.

    Raises:
        UserError: the file cannot be read, or is not in UTF-8.
    """
    if kind_of(file) == "jsonl":
        yield from iter_records(file)
        return
    with reading(file, dialect):
        table = _scan(file, list(dict.fromkeys(columns)), dialect).collect()
    texts = table.select(pl.selectors.string())
    if texts.select(pl.any_horizontal(pl.all().str.contains(UNUSABLE, literal=True).any())).item():
        require_utf8(file)
    for number, record in enumerate(table.iter_rows(named=True)):
        if record[FILLED]:
            yield number, record


def place_of(file: Path, row: int, dialect: Dialect) -> str:
    """Return where a row (from 0) of separated values or Parquet, or a line (from 1) of JSON lines, stands."""
    kind = kind_of(file)
    if kind == "csv":
        with reading(file, dialect):
            return f"{file}:{line_of(file, row, quote=dialect.quote)}"
    return f"{file}:{row}" if kind == "jsonl" else f"{file}: row {row + 1}"


def reading(file: Path, dialect: Dialect) -> AbstractContextManager[None]:
    """Return a context in which the errors of Polars while it reads a file are UserErrors."""
    if kind_of(file) == "parquet":
        return _parquet(file)
    return explained(file, dialect.separates(file), dialect.quote) if kind_of(file) == "csv" else nullcontext()


@contextmanager
def _parquet(file: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file}: not readable as Parquet ({reason}): write or download it again") from error


def _columns(file: Path, dialect: Dialect) -> list[str]:
    """Return the columns of a file; of JSON lines the keys of its first records."""
    kind = kind_of(file)
    if kind == "csv":
        return read_header(file, dialect.separates(file), dialect.quote)
    if kind == "parquet":
        with reading(file, dialect):
            return pl.scan_parquet(file, glob=False).collect_schema().names()
    records = [record for _, record in islice(iter_records(file), FIRST) if record is not None]
    with open_raw(file) as stream:
        if not records and stream.read(100).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            raise UserError(f"{file}:1: a JSON array: write one record a line, as jq -c '.[]' does")
    return list(dict.fromkeys(key for record in records for key in record))


def _hint(file: Path, names: list[str], dialect: Dialect) -> str:
    others = [mark for mark in (",", ";", "\t", "|") if len(names) == 1 and mark in names[0]]
    return f", or data.source.init_args.separator to {others[0]!r}" if others and kind_of(file) == "csv" else ""


def _scan(file: Path, columns: list[str], dialect: Dialect) -> pl.LazyFrame:
    if kind_of(file) == "parquet":
        with reading(file, dialect):
            return pl.scan_parquet(file, glob=False).select(*columns, pl.lit(True).alias(FILLED))
    separator = dialect.separates(file)
    names = read_header(file, separator, dialect.quote)
    fields = [str(place) for place in range(len(names))]  # a user's column may have the name of one of ours
    rows = scan_rows(file, fields, separator, dialect.quote)
    return rows.select(
        *(pl.col(str(names.index(column))).alias(column) for column in columns),
        pl.col(SURPLUS).alias(BEYOND),
        pl.any_horizontal(pl.all().is_not_null()).alias(FILLED),
    )
