"""What a column of a table shows: where a run has it, how it is printed, and which end of it is good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from mmrec.errors import UserError
from mmrec.metrics.beyond_accuracy import LENGTH, MODALITIES
from mmrec.metrics.ranking import rank_metrics
from mmrec.reproduce.latency import latency_ms
from mmrec.results.load import Result, seconds_per_epoch


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        key: as a table's `metrics` names it.
        heading: as printed.
        digits: after the point.
        best: which end is marked as the best, None for none.
        read: returns a run's value from its folder and result, None where it has none.
    """

    key: str
    heading: str
    digits: int
    best: Literal["highest", "lowest"] | None
    read: Callable[[Path, Result], float | None]

    def form(self, value: float) -> str:
        """Print a value."""
        return f"{value:,.{self.digits}f}"


def column(key: str) -> Column:
    """Return a column by its key: a metric, a measure beyond accuracy, or a cost."""
    if key in COSTS:
        return COSTS[key]
    return Column(key, heading(key), 4, "highest" if is_metric(key) else None, _metric(key))


def is_metric(key: str) -> bool:
    """Whether a key is a metric that follows from ranks, of which each user has a value."""
    return key in METRICS


def heading(key: str) -> str:
    """Print a key: HR@10, NDCG@10, text diversity@10."""
    return key.upper() if is_metric(key) else key.replace("_", " ")


def _metric(key: str) -> Callable[[Path, Result], float | None]:
    def read(folder: Path, result: Result) -> float | None:
        for part in (result["metrics"], result.get("beyond_accuracy") or {}):
            if key in part:
                value: float | None = part[key]
                return value
        raise UserError(f"{folder}/result.json has no {key}: run `lightning test` for it again")

    return read


def _memory(folder: Path, result: Result) -> float | None:
    peaks = result.get("peak_memory_mb") or {}
    value: float | None = peaks.get("device", peaks.get("host"))
    return value


METRICS = tuple(rank_metrics(torch.ones(1)))
MEASURES = [f"{name}@{LENGTH}" for name in ("coverage", "gini", "novelty", *(f"{m}_diversity" for m in MODALITIES))]
COSTS = {
    "seconds_per_epoch": Column(
        "seconds_per_epoch", "s / epoch", 1, "lowest", lambda _, result: seconds_per_epoch(result)
    ),
    "latency_ms": Column("latency_ms", "latency, ms", 2, "lowest", latency_ms),
    "memory_mb": Column("memory_mb", "peak memory, MB", 0, "lowest", _memory),
}
"""Seconds include the validation of the epoch; memory is the GPU's where there is one."""
COLUMNS = (*METRICS, *MEASURES, *COSTS)
"""Keys of all that a table of models may show."""
