"""The numbers that the paper reports, from `experiments/paper_numbers.csv`: shown next to ours, never a target."""

from __future__ import annotations

import polars as pl

from mmrec.data.prepare.manifest import Manifest
from mmrec.utils.shipped import experiments_folder

ROWS = {
    "amazon-fashion": "Amazon-Fashion",
    "movielens-25m": "MovieLens-25M",
    "movielens-poster": "MovieLens-25M",
}
"""Names of datasets in the paper."""


def numbers() -> pl.DataFrame:
    """Return every number of the paper's tables as table, row, column and value. Improvements are in percent."""
    return pl.read_csv(experiments_folder() / "paper_numbers.csv", glob=False)


def reported(table: int, row: str) -> dict[str, float]:
    """Return the numbers of a row by column; empty if the paper lacks the row.

    Args:
        table: number of the table.
        row: name of the row in the paper, in English.
    """
    found = numbers().filter((pl.col("table") == table) & (pl.col("row") == row))
    return dict(found.select("column", "value").iter_rows())


def paper_row(manifest: Manifest) -> str:
    """Return the paper's name of a prepared dataset; empty if the paper lacks it."""
    other = manifest.source.get("category", "AMAZON_FASHION").upper() != "AMAZON_FASHION"
    return "" if other else ROWS.get(manifest.dataset, "")
