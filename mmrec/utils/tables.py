"""Reading of Parquet tables with a check of their content, so that a damaged file ends in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from mmrec.errors import UserError


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
