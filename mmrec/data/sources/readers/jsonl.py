"""JSON lines, compressed or not: whole blocks by Polars; line by line only where a block has unusual lines."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mmrec.data.schema import Rejected
from mmrec.data.sources.readers.paths import open_raw
from mmrec.errors import UserError

BLOCK = 1 << 24  # bytes read at once
SMALL = 1 << 16  # a block with unusual lines is halved down to this size before they are read one by one

LONG = r"^-?[0-9]{16,}$"
INEXACT = re.compile(rb"[:,\[]\s*-?(?:[0-9.]+[eE]|[0-9]{16,}\.)")
"""A number in a block of JSON that may have lost its last digits where it was read as a whole number."""

Record = dict[str, Any]


def read_table(
    file: Path,
    schema: pl.Schema,
    clean: Callable[[bytes], pl.DataFrame | None],
    convert: Callable[[Record], tuple[Any, ...]],
) -> tuple[pl.DataFrame, pl.Series, dict[str, Rejected]]:
    """Return one row per line in order, the number of each row's line, and the lines that hold no object.

    The numbers are not a column of the table, because any name of a column may be a key of the file.

    Args:
        file: JSON lines, plain or gzip.
        schema: columns of the result; each block is cast to it as it is read, and what does not fit becomes null. A
            category takes 4 bytes per row, a string 16 and more.
        clean: returns a whole block as strings, None if any of its lines is unusual.
        convert: returns the row of one line's object as strings.
    """
    tables, numbers, broken, first = [], [], 0, 0
    todo: list[tuple[int, bytes]] = []
    for start in _blocks(file):
        todo.append(start)
        while todo:
            line, block = todo.pop()
            table = clean(block)
            middle = block.find(b"\n", len(block) // 2) + 1 if len(block) > SMALL else 0
            if table is not None and table.height == _count_lines(block):
                tables.append(table.cast(schema, strict=False))
                numbers.append(pl.int_range(line, line + table.height, dtype=pl.UInt32, eager=True))
            elif 0 < middle < len(block):
                todo += [(line + block.count(b"\n", 0, middle), block[middle:]), (line, block[:middle])]
            else:
                rows, lines = [], []
                for number, record in _records(line, block):
                    if record is None:
                        broken, first = broken + 1, first or number
                    else:
                        rows.append(convert(record))
                        lines.append(number)
                table = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.String), orient="row")
                tables.append(table.cast(schema, strict=False))
                numbers.append(pl.Series(lines, dtype=pl.UInt32))
    places = pl.concat([pl.Series(dtype=pl.UInt32), *numbers])
    return pl.concat([pl.DataFrame(schema=schema), *tables]), places, _rejected(file, broken, first)


def read_records(
    file: Path, convert: Callable[[Record], tuple[Any, ...]]
) -> tuple[list[tuple[Any, ...]], dict[str, Rejected]]:
    """Return the row that `convert` makes of each line's object, and the lines that hold no object."""
    rows, broken, first = [], 0, 0
    for number, record in iter_records(file):
        if record is None:
            broken, first = broken + 1, first or number
        else:
            rows.append(convert(record))
    return rows, _rejected(file, broken, first)


def repeats_a_key(block: bytes, fields: pl.DataFrame) -> bool:
    """Return whether a line seems to have a key twice, as where a lost line break has joined two records.

    Args:
        block: lines that Polars took for records; of a repeated key it silently takes the first.
        fields: its result, with one row per line and one column per key.
    """
    for name in fields.columns:
        spellings = {json.dumps(name).encode(), json.dumps(name, ensure_ascii=False).encode()}
        count, values = sum(map(block.count, spellings)), fields[name].count()
        if count < values:  # written with escapes
            return True
        if count > values:  # else each line with a value has the key once; here some may have null
            places = [match.start() for spelling in spellings for match in re.finditer(re.escape(spelling), block)]
            breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            if len(np.unique(np.searchsorted(breaks, places))) < len(places):
                return True
    return False


def has_lost_digits(block: bytes, ids: pl.DataFrame) -> bool:
    """Return whether an id may be a number with a fraction or an exponent that has lost its last digits.

    Args:
        block: lines of JSON.
        ids: the ids that Polars took from them, as strings.
    """
    long = any(column.str.contains(LONG).any() for column in ids.iter_columns())
    return long and INEXACT.search(block) is not None


def iter_records(file: Path) -> Iterator[tuple[int, Record | None]]:
    """Yield each line's number and object, None if it holds none; blank lines are skipped."""
    for line, block in _blocks(file):
        yield from _records(line, block)


def holds_key(file: Path, key: str) -> bool:
    """Return whether any line seems to have an object with a key."""
    spellings = {json.dumps(key), json.dumps(key, ensure_ascii=False)}
    pattern = re.compile(b"(?:%b)\\s*:" % b"|".join(re.escape(spelling.encode()) for spelling in spellings))
    return any(pattern.search(block) for _, block in _blocks(file))


def _rejected(file: Path, broken: int, first: int) -> dict[str, Rejected]:
    return {"broken JSON": Rejected(broken, f"{file}:{first}")} if broken else {}


def _blocks(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number of its first line, whole lines) until the end of the file."""
    line, rest = 1, b""
    try:
        with open_raw(file) as stream:
            while chunk := stream.read(BLOCK):
                chunk = rest + chunk
                end = chunk.rfind(b"\n") + 1
                block, rest = chunk[:end], chunk[end:]
                if block:
                    yield line, block.removeprefix(b"\xef\xbb\xbf") if line == 1 else block
                    line += block.count(b"\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{file}:{line}: the gzip data breaks off hereafter ({error}); download it again") from None
    if rest:
        yield line, rest.removeprefix(b"\xef\xbb\xbf") if line == 1 else rest


def _object(pairs: list[tuple[str, Any]]) -> Record:
    """Return a JSON object.

    Raises:
        ValueError: a key is repeated, as where a lost line break has joined two records.
    """
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key is repeated")
    return record


def _count_lines(block: bytes) -> int:
    return block.count(b"\n") + (not block.endswith(b"\n"))


def _records(line: int, block: bytes) -> Iterator[tuple[int, Record | None]]:
    """Yield each line's number and object, None if it holds none; blank lines are skipped."""
    for number, text in enumerate(block.split(b"\n"), start=line):
        if not text.strip():
            continue
        try:
            record = json.loads(text.decode("utf-8"), object_pairs_hook=_object)
        except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError
            record = None
        yield number, record if isinstance(record, dict) else None
