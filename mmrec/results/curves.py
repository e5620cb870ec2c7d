"""The curves of a run, from its `metrics.csv`."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from mmrec.errors import UserError

Points = list[tuple[int, float]]
"""Epoch, from 0, and value; epochs ascend."""


def read_curves(run: Path) -> dict[str, Points]:
    """Return what a run logged by epoch in training and validation; empty if it kept no curves.

    Its parts are joined, and of an epoch that was trained twice the later value counts.

    Args:
        run: the run's folder.

    Returns:
        the points of each metric (`train/loss`, `valid/ndcg@10`), finite ones alone.

    Raises:
        UserError: a file is damaged.
    """
    joined: dict[str, dict[int, float]] = {}
    for part in read_parts(run):
        for name, points in part.items():
            joined.setdefault(name, {}).update(points)
    return {name: sorted(points.items()) for name, points in joined.items()}


def read_parts(run: Path) -> list[dict[str, Points]]:
    """Return the curves of each part of a run: a fit that went on has left its earlier ones aside (`metrics.1.csv`).

    Args:
        run: the run's folder.

    Returns:
        of each part, oldest first, the points of each metric that has a finite one.

    Raises:
        UserError: a file is damaged.
    """
    earlier = sorted(run.glob("metrics.*.csv"), key=lambda file: (len(file.name), file.name))
    return [_read(file) for file in (*earlier, run / "metrics.csv") if file.is_file()]


def _read(file: Path) -> dict[str, Points]:
    try:
        table = pl.read_csv(file, infer_schema_length=None, glob=False)
        epochs = table["epoch"].cast(pl.Int64)
        columns = {name: table[name].cast(pl.Float64) for name in table.columns if _is_curve(name)}
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{file}: unreadable ({str(error).splitlines()[0]}); move it away, or fit again") from None
    found = {
        name: [(e, v) for e, v in zip(epochs, values, strict=True) if v is not None and math.isfinite(v)]
        for name, values in columns.items()
    }
    return {name: points for name, points in found.items() if points}


def _is_curve(name: str) -> bool:
    return name.startswith(("train/", "valid/"))
