"""Separated values of any size: scanned as strings, with the line of a fault found only when there is one."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from mmrec.data.sources.readers.paths import UNREADABLE, is_gzip, open_raw
from mmrec.errors import UserError

SURPLUS = "surplus"
"""Column of the text after the last named field of a row, null if there are only separators."""
EXTRA = 8  # fields looked at after the named ones: Polars silently drops further ones
BLOCK = 1 << 24  # bytes looked at together


@dataclass(frozen=True)
class Dialect:
    """How separated values are written.

    Args:
        separator: one character between fields.
        quote: one character around fields; None where quotation marks are text like any other.
        header: whether the first line names the columns.
    """

    separator: str = ","
    quote: str | None = '"'
    header: bool = True


class CsvFile:
    """A file of separated values in UTF-8, with or without a byte order mark, plain or gzip.

    A file whose quotation marks are not as RFC 4180 has them is refused: two readers would take different rows from it.

    Args:
        path: the file.
        dialect: how its values are written.
    """

    def __init__(self, path: Path, dialect: Dialect = Dialect()) -> None:
        self.path = path
        self.dialect = dialect

    @cached_property
    def columns(self) -> list[str]:
        """The names in the first line; bytes that are not UTF-8 are U+FFFD.

        Raises:
            UserError: the file is empty, in UTF-16, or its first line has no names.
        """
        with self.reading(), open_raw(self.path) as stream:
            line = stream.readline(1 << 20).rstrip(b"\r\n")
        if not line:
            raise UserError(f"{self.path}: the file is empty, or its first line is")
        if line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UserError(f"{self.path}:1: the file is in UTF-16: convert it to UTF-8")
        text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="replace")
        if "\r" in text:
            raise UserError(f"{self.path}:1: lines end in a single carriage return (old Mac): convert to line feeds")
        if self.dialect.quote is None:
            fields = text.split(self.dialect.separator)
        elif text.count(self.dialect.quote) % 2:
            raise UserError(f"{self.path}:1: a quotation mark is not closed, or a column's name spans lines: rename it")
        else:
            fields = next(csv.reader([text], delimiter=self.dialect.separator, quotechar=self.dialect.quote), [])
        names = [name.strip() for name in fields]
        if not any(names):
            raise UserError(f"{self.path}:1: no column names: the first line must name the columns")
        return names

    def scan(self, fields: list[str]) -> pl.LazyFrame:
        """Return the rows as strings, in order; blank lines are rows of nulls. Collect them within `reading`.

        Args:
            fields: names for the fields of a row; a row that is too short has nulls.

        Returns:
            the fields and `SURPLUS`, all String; bytes that are not UTF-8 are U+FFFD.

        Raises:
            UserError: quotation marks are not as RFC 4180 has them.
        """
        self._check_quotes()
        extra = [f"{SURPLUS} {place}" for place in range(EXTRA)]
        rows = pl.scan_csv(
            self.path,
            has_header=False,
            skip_lines=int(self.dialect.header),
            schema=dict.fromkeys([*fields, *extra], pl.String),
            separator=self.dialect.separator,
            quote_char=self.dialect.quote,
            missing_columns="insert",
            truncate_ragged_lines=True,
            raise_if_empty=False,
            encoding="utf8-lossy",
            glob=False,
        )
        return rows.select(*fields, pl.coalesce(extra).alias(SURPLUS))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Return a context in which the errors of a library that reads the file are UserErrors."""
        try:
            yield
        except (pl.exceptions.PolarsError, *UNREADABLE) as error:
            if is_gzip(self.path):
                self._check_gzip()
            elif not isinstance(error, pl.exceptions.PolarsError):
                raise
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.path}: not readable as separated values: {reason}") from error

    def line_of(self, row: int) -> int:
        """Return the line, from 1, where a row of `scan` (from 0) begins: quoted fields may span lines."""
        before = row + int(self.dialect.header)  # rows before it
        if self.dialect.quote is None or before == 0:
            return before + 1
        ended = lines = quotes = 0
        for block in self._blocks():
            data = np.frombuffer(block, np.uint8)
            breaks, marks = np.flatnonzero(data == ord("\n")), np.flatnonzero(data == ord(self.dialect.quote))
            ends = np.flatnonzero((np.searchsorted(marks, breaks) + quotes) % 2 == 0)
            if ended + len(ends) >= before:
                return lines + int(ends[before - ended - 1]) + 2
            ended, lines, quotes = ended + len(ends), lines + len(breaks), quotes + len(marks)
        return lines + 1  # after the last line: the file has shrunk meanwhile

    def require_utf8(self) -> None:
        """Raise a UserError that names the first line which is not UTF-8; U+FFFD itself is a character like others."""
        with open_raw(self.path) as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{self.path}:{number}: not UTF-8 ({error.reason} at byte {error.start}): convert the file, "
                        "for example with iconv -f WINDOWS-1252 -t UTF-8"
                    ) from None

    def _check_quotes(self) -> None:
        """Check that quoted fields begin after a separator and end before one, as RFC 4180 has it.

        Every second mark of a file opens a field: it must follow a separator, a line break or, in a doubled mark, the
        other mark. The marks between them close a field, and must be followed by one of these.

        Raises:
            UserError: a mark is in another place, or the last one is not closed.
        """
        if self.dialect.quote is None:
            return
        mark = self.dialect.quote.encode()
        around = np.frombuffer(mark + b"\n" + self.dialect.separator.encode(), np.uint8)
        count = start = last = 0  # marks so far, bytes so far, place of the last mark
        for block in self._blocks(whole_lines=True):
            if mark in block:
                data = np.frombuffer(b"\n" + block + b"\n", np.uint8)
                places = np.flatnonzero(data[1:-1] == mark[0]) + 1
                opens = (np.arange(len(places)) + count) % 2 == 0
                following = data[places + 1]
                ends = (following == ord("\r")) & (data[np.minimum(places + 2, len(data) - 1)] == ord("\n"))
                good = np.isin(np.where(opens, data[places - 1], following), around) | (ends & ~opens)
                if not good.all():
                    wrong = int(good.argmin())
                    near = [start + int(place) - 1 for place in places[max(0, wrong - 1) : wrong + 1]]
                    escaped = any(block[max(0, place - start - 1) : place - start] == b"\\" for place in near)
                    fault = "is escaped by a backslash" if escaped else "is not closed, or is inside a field"
                    raise self._misquoted(near[-1] if opens[wrong] else near[0] if wrong else last, fault)
                count, last = count + len(places), start + int(places[-1]) - 1
            start += len(block)
        if count % 2:
            raise self._misquoted(last, "is not closed")

    def _misquoted(self, place: int, fault: str) -> UserError:
        mark = self.dialect.quote
        return UserError(
            f"{self.path}:{self._line_at(place)}: a quotation mark {fault}: write {mark}{mark} for one in quoted text; "
            f"if all are text, such as 6{mark} for inches, a Tabular source reads them with format.quote: null"
        )

    def _line_at(self, place: int) -> int:
        """Return the line of a byte."""
        line, start = 1, 0
        for block in self._blocks():
            line += block.count(b"\n", 0, max(0, place - start))
            start += len(block)
            if start > place:
                break
        return line

    def _blocks(self, whole_lines: bool = False) -> Iterator[bytes]:
        """Yield the file in blocks, without a byte order mark."""
        with self.reading(), open_raw(self.path) as stream:
            block = stream.read(BLOCK).removeprefix(codecs.BOM_UTF8)
            while block:
                yield block + (stream.readline() if whole_lines else b"")
                block = stream.read(BLOCK)

    def _check_gzip(self) -> None:
        try:
            with open_raw(self.path) as stream:
                while stream.read(BLOCK):
                    pass
        except UNREADABLE as broken:
            raise UserError(
                f"{self.path}: the gzip data breaks off or is damaged ({broken}): download it again"
            ) from None
