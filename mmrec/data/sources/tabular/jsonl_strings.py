"""Columns of JSON lines as strings: ids of any type, times and numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from mmrec.data.schema import Rejected
from mmrec.data.sources.readers.jsonl import Record, read_table, repeats_a_key
from mmrec.data.sources.tabular.values import id_of

NO_ID = r"^(?:true|false|[\[{].*|-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))$"
"""What a value that is no id, or no string, looks like once it is one; "7.5" is an id, 7.5 is none."""
LONG = r"^-?[0-9]{16,}$"
EXPONENT = re.compile(rb"[:,\[]\s*-?[0-9.]+[eE]")


def read_strings(file: Path, columns: Sequence[str], ids: Collection[str]) -> tuple[pl.DataFrame, dict[str, Rejected]]:
    """Read some columns of single values, ids as `id_of` gives them and the others as they are written.

    Args:
        file: JSON lines.
        columns: keys of the records; null where a record lacks one.
        ids: those of them that hold ids.

    Returns:
        as `read_table`.
    """

    def clean(block: bytes) -> pl.DataFrame | None:
        return _read_block(block, columns, ids)

    def convert(record: Record) -> tuple[str | None, ...]:
        return tuple((id_of if name in ids else written)(record.get(name)) for name in columns)

    return read_table(file, pl.Schema(dict.fromkeys(columns, pl.String())), clean, convert)


def _read_block(block: bytes, columns: Sequence[str], ids: Collection[str]) -> pl.DataFrame | None:
    """Read a block of lines; None unless every id is one beyond doubt, whatever type it had."""
    try:
        table = pl.read_ndjson(block, schema=dict.fromkeys(columns, pl.String))
    except pl.exceptions.PolarsError:
        return None
    if repeats_a_key(block, table):
        return None
    for name in ids:
        value = pl.col(name)
        if table.select((value.is_null() | value.str.contains(NO_ID)).any()).item():
            return None
        if table.select(value.str.contains(LONG).any()).item() and EXPONENT.search(block):
            return None  # 1e17 as a whole number has lost its last digits
    return table


def written(value: object) -> str | None:
    """Return a time or a number as text, as it is written; None where missing."""
    if isinstance(value, str):
        return id_of(value)
    return None if value is None or value != value else str(value)  # NaN is unequal to itself
