"""The one reader of `metrics.csv`: the curves of a run."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from mmrec.errors import UserError

Points = list[tuple[int, float]]
"""Epoch, from 0, and value; epochs ascend."""


def read_curves(run: Path) -> dict[str, Points]:
    """Return the metrics that a run logged by epoch in training and validation; empty if it logged none.

    The parts of a resumed run are joined; of an epoch that was trained twice, the later value counts.

    Args:
        run: folder of the run.

    Returns:
        the points of each metric (`train/loss`, `valid/ndcg@10`), without values that are not finite.

    Raises:
        UserError: a file is damaged.
    """
    joined: dict[str, dict[int, float]] = {}
    for part in read_parts(run):
        for name, points in part.items():
            joined.setdefault(name, {}).update(points)
    return {name: sorted(points.items()) for name, points in joined.items()}


def read_parts(run: Path) -> list[dict[str, Points]]:
    """Return the curves of each part of a run, oldest first: a resumed fit keeps earlier files (`metrics.1.csv`).

    Args:
        run: folder of the run.

    Raises:
        UserError: a file is damaged.
    """
    earlier = sorted(run.glob("metrics.*.csv"), key=lambda file: (len(file.name), file.name))
    return [_read(file) for file in (*earlier, run / "metrics.csv") if file.is_file()]


def _read(file: Path) -> dict[str, Points]:
    try:
        table = pl.read_csv(file, infer_schema=False, glob=False)
        epochs = table["epoch"].cast(pl.Int64)
        columns = {
            name: table[name].cast(pl.Float64) for name in table.columns if name.startswith(("train/", "valid/"))
        }
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{file}: unreadable ({str(error).splitlines()[0]}); move it away, or fit again") from None
    found = {
        name: [
            (epoch, value)
            for epoch, value in zip(epochs, values, strict=True)
            if epoch is not None and value is not None and math.isfinite(value)
        ]
        for name, values in columns.items()
    }
    return {name: points for name, points in found.items() if points}
