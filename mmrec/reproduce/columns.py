"""Columns that a table of models may show: every measure of a result, and the latency of one recommendation."""

from __future__ import annotations

from mmrec.errors import UserError
from mmrec.reproduce.latency import latency_ms
from mmrec.results.load import Run
from mmrec.results.measures import BEYOND, MEMORY, METRICS, SECONDS_PER_EPOCH, Measure, beyond, metric

LATENCY = Measure("latency_ms", "latency, ms", latency_ms, ",.2f", "lowest")
COSTS = {measure.key: measure for measure in (SECONDS_PER_EPOCH, LATENCY, MEMORY)}
COLUMNS = (*METRICS, *BEYOND, *COSTS)
"""Keys of all columns."""


def column(key: str) -> Measure:
    """Return a column by its key."""
    return COSTS.get(key) or (metric(key) if key in METRICS else beyond(key))


def require_column(run: Run, key: str) -> None:
    """Raise a UserError unless a result has a column; a measure that is null counts as present."""
    if key not in COSTS and key not in {**run.result["metrics"], **(run.result.get("beyond_accuracy") or {})}:
        raise UserError(f"{run.file} has no {key}: run `lightning test` for it again")
