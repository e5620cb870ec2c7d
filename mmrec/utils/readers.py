"""Validated readers, one per kind of file: whatever is wrong with a file ends in one line that names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.errors import UserError


def read_json(file: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        file: the path of the file, which must be UTF-8.
        remedy: what the user can do about a damaged file, for the message.

    Raises:
        UserError: the file is missing, is not valid JSON or holds something else than an object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); {remedy}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{file}:{error.lineno}: not valid JSON ({error.msg}); {remedy}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of thousands of digits, endless nesting
        raise UserError(f"{file}: not valid JSON in UTF-8 ({first_line(error)}); {remedy}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file}: holds {type(content).__name__}, not a JSON object; {remedy}")
    return content


def read_table(file: Path, columns: Sequence[str], rows: int | None, remedy: str) -> pl.DataFrame:
    """Read a Parquet file.

    Args:
        file: the path of the file.
        columns: columns that it must have; it may have others.
        rows: number of rows that it must have; None if it is not known.
        remedy: what the user can do about a damaged file, for the message.

    Raises:
        UserError: the file is missing or damaged, lacks a column or has another number of rows.
    """
    try:
        table = pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(f"{file}: cannot be read ({first_line(error)}); {remedy}") from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise UserError(f"{file}: has no column {missing[0]}; {remedy}")
    if rows is not None and table.height != rows:
        raise UserError(f"{file}: has {table.height} rows, not {rows}; {remedy}")
    return table


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the error's name if it has none."""
    return str(error).partition("\n")[0] or type(error).__name__
