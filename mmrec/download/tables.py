"""Tables of ids and image addresses."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmrec.data.sources.tabular import find_tables, open_table
from mmrec.errors import UserError


def read_urls(path: Path, id_column: str = "id", url_column: str = "url") -> pl.DataFrame:
    """Return the columns `id` and `url`, as strings, of a table in CSV, Parquet or JSON lines.

    Args:
        path: the file, as `Tabular` reads it.
        id_column: name of the column of ids.
        url_column: name of the column of addresses; in Parquet it may hold lists, whose later entries are fallbacks.

    Raises:
        UserError: the file is missing or malformed, has another ending, or lacks a column.
    """
    if not path.is_file():
        raise UserError(f"--urls {path}: no such file")
    (file,) = find_tables(str(path.absolute()), "--urls")
    table = open_table(file)
    for option, column in (("--id_column", id_column), ("--url_column", url_column)):
        if not table.has(column):
            raise UserError(f"{path} has no column {column!r}, only {', '.join(table.columns)}: name it with {option}")
    with table.reading():
        frame = table.rows([], [id_column, url_column]).frame.select(id=id_column, url=url_column).collect()
    if isinstance(frame.schema["url"], pl.List):
        frame = frame.explode("url")
    try:
        return frame.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise UserError(f"{path}: {id_column} and {url_column} must be text or numbers") from None
