"""Tables of ids and image addresses."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmrec.errors import UserError


def read_urls(path: Path, id_column: str = "id", url_column: str = "url") -> pl.DataFrame:
    """Return the columns `id` and `url`, as strings, of a CSV or Parquet file.

    Args:
        path: file that ends in .csv or .parquet.
        id_column: name of the column of ids.
        url_column: name of the column of addresses; in Parquet it may hold lists, whose later entries are fallbacks.

    Raises:
        UserError: the file is missing or malformed, has another ending, or lacks a column.
    """
    if not path.is_file():
        raise UserError(f"--urls {path}: no such file")
    try:
        if path.suffix.lower() == ".parquet":
            table = pl.read_parquet(path, glob=False)
        elif path.suffix.lower() == ".csv":
            table = pl.read_csv(path, infer_schema=False, glob=False)
        else:
            raise UserError(f"--urls {path}: must end in .csv or .parquet")
    except pl.exceptions.PolarsError as error:
        raise UserError(f"--urls {path}: not readable: {str(error).splitlines()[0]}") from None
    for option, column in (("--id_column", id_column), ("--url_column", url_column)):
        if column not in table.columns:
            raise UserError(f"{path} has no column {column!r}, only {', '.join(table.columns)}: name it with {option}")
    table = table.select(id=pl.col(id_column), url=pl.col(url_column))
    if isinstance(table.schema["url"], pl.List):
        table = table.explode("url")
    try:
        return table.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise UserError(f"{path}: {id_column} and {url_column} must be text or numbers") from None
