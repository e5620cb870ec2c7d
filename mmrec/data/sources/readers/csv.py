"""Separated values of any size: scanned as strings, with the line of a fault found only when there is one."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl

from mmrec.data.sources.readers.paths import is_gzip, open_raw
from mmrec.errors import UserError

SURPLUS = "surplus"
"""The column that holds what stands after the last named field of a row, null if that is nothing but separators."""
EXTRA = 8  # fields looked at beyond the named ones: Polars cuts off the rest without a word
LONGEST_RECORD = 1000  # lines that a quoted field may span before an unclosed quotation mark is the better guess


def read_header(file: Path, separator: str = ",", quote: str | None = '"') -> list[str]:
    """Return the column names in the first line of a file, compressed or not.

    Raises:
        UserError: the file is empty, not UTF-8, or names a column twice.
    """
    with open_raw(file) as stream:
        line = _first_line(file, stream)
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{file}:1: the file is in UTF-16: convert it to UTF-8")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}:1: not UTF-8 ({error.reason} at byte {error.start}): convert the file") from None
    if "\r" in text:
        raise UserError(f"{file}:1: lines end in a carriage return alone (old Mac): convert them to line feeds")
    if quote is None:
        fields = text.split(separator)
    else:
        fields = next(csv.reader([text], delimiter=separator, quotechar=quote), [])
    names = [name.strip() for name in fields]
    if not any(names):
        raise UserError(f"{file}:1: no column names: the first line must name the columns")
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise UserError(f"{file}:1: two columns are named {twice!r}: rename one")
    return names


def scan_rows(
    file: Path, columns: list[str], separator: str = ",", quote: str | None = '"', header: bool = True
) -> pl.LazyFrame:
    """Scan a file as strings, one row a record, in order; blank lines are rows of nulls.

    Args:
        file: in UTF-8, with or without a byte order mark, gzip if so named; bytes that are not UTF-8 become U+FFFD.
        columns: names of the fields; a row that is too short has nulls.
        separator: one character.
        quote: what encloses fields; None where quotation marks mean nothing.
        header: skip the first line.

    Returns:
        the columns and `SURPLUS`, all String. Collect it within `explained`.
    """
    extra = [f"{SURPLUS} {place}" for place in range(EXTRA)]
    rows = pl.scan_csv(
        file,
        has_header=False,
        skip_lines=1 if header else 0,
        schema=dict.fromkeys([*columns, *extra], pl.String),
        separator=separator,
        quote_char=quote,
        missing_columns="insert",
        truncate_ragged_lines=True,
        raise_if_empty=False,
        encoding="utf8-lossy",
        glob=False,
    )
    return rows.select(*columns, pl.coalesce(extra).alias(SURPLUS))


@contextmanager
def explained(file: Path, separator: str = ",", quote: str | None = '"') -> Iterator[None]:
    """Raise the errors of Polars while it reads a file as UserErrors that name the line at fault."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise explain(file, error, separator, quote) from error
    except (OSError, EOFError) as error:
        if not is_gzip(file):
            raise
        raise explain(file, error, separator, quote) from error


def explain(file: Path, error: Exception, separator: str = ",", quote: str | None = '"') -> UserError:
    """Return the user's side of an error that Polars raised while it read a file, with the line at fault."""
    if is_gzip(file):
        try:
            with open_raw(file) as stream:
                while stream.read(1 << 24):
                    pass
        except (OSError, EOFError) as broken:
            return UserError(f"{file}: the gzip data breaks off or is damaged ({broken}): download it again")
    line = None if quote is None else _misquoted_line(file, separator, quote)
    if line is not None:
        return UserError(f"{file}:{line}: a quotation mark is not closed, or stands inside a field: mend the line")
    return UserError(f"{file}: not readable as separated values: {str(error).splitlines()[0]}")


def line_of(file: Path, record: int, quote: str | None = '"', header: bool = True) -> int:
    """Return the line, from 1, where a record of `scan_rows` (from 0) begins: quoted fields may span lines."""
    first = 2 if header else 1
    if quote is None or not _holds(file, quote.encode()):
        return record + first
    for place, (line, _) in enumerate(_records(file, quote)):
        if place == record + first - 1:
            return line
    return record + first  # past the end: the file has shrunk meanwhile


def _misquoted_line(file: Path, separator: str, quote: str) -> int | None:
    mark, gap = re.escape(quote), re.escape(separator)
    field = f"(?:{mark}(?:[^{mark}]|{mark}{mark})*{mark}|[^{mark}{gap}]*)"
    record = re.compile(f"{field}(?:{gap}{field})*")
    return next((line for line, text in _records(file, quote) if not record.fullmatch(text)), None)


def _records(file: Path, quote: str) -> Iterator[tuple[int, str]]:
    """Yield the line where each record begins, and its text; one that never closes ends after LONGEST_RECORD lines."""
    with open_raw(file) as stream:
        start, parts = 1, []
        for line, text in enumerate(io.TextIOWrapper(stream, "utf-8", errors="replace", newline="\n"), start=1):
            parts.append(text)
            record = "".join(parts)
            if record.count(quote) % 2 and len(parts) < LONGEST_RECORD:
                continue
            yield start, record.rstrip("\r\n")
            start, parts = line + 1, []
        if parts:
            yield start, "".join(parts).rstrip("\r\n")


def _holds(file: Path, wanted: bytes) -> bool:
    with open_raw(file) as stream:
        return any(wanted in block for block in iter(lambda: stream.read(1 << 24), b""))


def _first_line(file: Path, stream: IO[bytes]) -> bytes:
    try:
        line = stream.readline(1 << 20).rstrip(b"\r\n")
    except (OSError, EOFError) as error:
        raise UserError(f"{file}: the gzip data breaks off or is damaged ({error}): download it again") from None
    if not line:
        raise UserError(f"{file}: the file is empty, or its first line is")
    return line


def require_utf8(file: Path) -> None:
    """Raise an error if a file holds bytes that are not UTF-8: U+FFFD itself is a letter like any other."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_raw(file) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                decoder.decode(line)
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{file}:{number}: not UTF-8 ({error.reason} at byte {error.start}): convert the file, say with "
                    "iconv -f WINDOWS-1252 -t UTF-8"
                ) from None
