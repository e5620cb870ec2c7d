"""Measures of a run: how each is read from its result, how it is printed, and which end of it is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl
import torch

from mmrec.metrics.beyond_accuracy import LENGTH, MODALITIES
from mmrec.metrics.cost import seconds_per_epoch
from mmrec.metrics.ranking import ndcg, rank_metrics
from mmrec.results.load import Run

METRICS = tuple(rank_metrics(torch.ones(1)))
"""Metrics that follow from ranks, so that every user has a value."""
BEYOND = tuple(f"{name}@{LENGTH}" for name in ("coverage", "gini", "novelty", *(f"{m}_diversity" for m in MODALITIES)))
"""Measures of the recommended lists beyond accuracy."""


@dataclass(frozen=True)
class Measure:
    """One measure, a column of a table.

    Args:
        key: name in table files and results.
        heading: name as printed.
        read: returns a run's value, None if the run has none.
        form: format of a value.
        best: end that is marked as the best, None for no mark.
        note: second line of the heading.
    """

    key: str
    heading: str
    read: Callable[[Run], float | None]
    form: str = ".4f"
    best: Literal["highest", "lowest"] | None = None
    note: str = ""

    def print(self, value: float) -> str:
        """Return a value as printed."""
        return format(value, self.form)


def metric(key: str) -> Measure:
    """Return a metric of the test, in a protocol's own name if it has one (`ndcg@10_uniform100`)."""
    return Measure(key, heading(key), lambda run: run.result["metrics"].get(key), best="highest")


def beyond(key: str) -> Measure:
    """Return a measure beyond accuracy."""
    return Measure(key, key.replace("_", " "), lambda run: (run.result.get("beyond_accuracy") or {}).get(key))


def of_slice(name: str, key: str, runs: Iterable[Run]) -> Measure:
    """Return a metric on one slice of the test instances.

    Models with features and models without may differ in which items have a text or an image: then the note gives the
    range of the number of instances.

    Args:
        name: name of the slice.
        key: name of the metric.
        runs: runs of the table.
    """
    counts = sorted(int(_slice(run, name).get("instances") or 0) for run in runs if _slice(run, name))
    low, high = (counts[0], counts[-1]) if counts else (0, 0)
    note = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return Measure(name, name.replace("_", " "), lambda run: _slice(run, name).get(key), note=note)


def of_group(name: str, labels: pl.DataFrame) -> Measure:
    """Return NDCG@10 over the test instances of one group of users.

    Args:
        name: name of the group.
        labels: group of each user.
    """
    users = labels.filter(pl.col("group") == name)

    def read(run: Run) -> float | None:
        ranks = run.ranks.join(users, on="user")["rank"]
        return None if ranks.is_empty() else float(ndcg(ranks.to_torch(), 10).mean())

    return Measure(name, name, read)


def peak(memory: str) -> Measure:
    """Return the peak memory, "host" or "device" (a GPU's)."""
    return Measure(
        memory, "peak MB", lambda run: (run.result.get("peak_memory_mb") or {}).get(memory), ",.0f", note=memory
    )


def sections(runs: Iterable[Run], key: str) -> list[str]:
    """Return the names in a section of results, in the order of the first result that has them."""
    return list(dict.fromkeys(name for run in runs for name in run.result.get(key) or {}))


def heading(key: str) -> str:
    """Return a metric as printed: "NDCG@10", "HR@10 (uniform100)"."""
    plain, _, protocol = key.partition("_")
    return plain.upper() + (f" ({protocol.replace('_', ' ')})" if protocol else "")


def cost(runs: Sequence[Run]) -> list[Measure]:
    """Return the measures of cost that the runs have."""
    return [PARAMETERS, EPOCHS, BEST_EPOCH, SECONDS, SECONDS_PER_EPOCH, SECONDS_TO_BEST,
            *(peak(memory) for memory in sections(runs, "peak_memory_mb"))]  # fmt: skip


def _slice(run: Run, name: str) -> dict[str, float | None]:
    found: dict[str, float | None] = (run.result.get("slices") or {}).get(name) or {}
    return found


def _best_epoch(run: Run) -> float | None:
    best: int | None = run.result["training"].get("best_epoch")
    return None if best is None else best + 1


def _seconds_to_best(run: Run) -> float | None:
    """Return the seconds up to the best epoch; of a model without epochs all of its seconds."""
    each, best = seconds_per_epoch(run.result["training"]), _best_epoch(run)
    if each is None:
        return float(run.result["training"]["seconds"])
    return None if best is None else each * best


def _memory(run: Run) -> float | None:
    """Return the peak memory of the GPU if there was one, else of the process."""
    peaks = run.result.get("peak_memory_mb") or {}
    value: float | None = peaks.get("device", peaks.get("host"))
    return value


PARAMETERS = Measure("parameters", "parameters", lambda run: run.result["parameters"], ",.0f")
EPOCHS = Measure("epochs", "epochs", lambda run: run.result["training"]["epochs"], ",.0f")
BEST_EPOCH = Measure("best_epoch", "best epoch", _best_epoch, ",.0f")
SECONDS = Measure("seconds", "seconds", lambda run: run.result["training"]["seconds"], ",.1f")
SECONDS_PER_EPOCH = Measure(
    "seconds_per_epoch", "s / epoch", lambda run: seconds_per_epoch(run.result["training"]), ",.1f", "lowest"
)
SECONDS_TO_BEST = Measure("seconds_to_best", "s to best", _seconds_to_best, ",.0f")
MEMORY = Measure("memory_mb", "peak memory, MB", _memory, ",.0f", "lowest")
