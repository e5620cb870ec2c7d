"""Estimates of the time of runs, from finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from mmrec.reproduce.run import MARKER, Run, read_marker


class Estimate:
    """Seconds of the finished runs of one profile, by any version of the code.

    Args:
        runs: folder of all runs.
        profile: name of the profile.
    """

    def __init__(self, runs: Path, profile: str) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = {}
        for file in runs.glob(f"*/*/seed*/{MARKER}"):
            marker = read_marker(file.parent)
            if marker is not None and marker["profile"] == profile:
                self._take(marker)

    def add(self, run: Run) -> float | None:
        """Add a run that has ended and return its seconds; None if it is not done."""
        marker = read_marker(run.folder)
        return None if marker is None else self._take(marker)

    def of(self, run: Run) -> float | None:
        """Return the mean seconds of runs of the same model, else of all on the same dataset; None without any."""
        dataset, config = run.about["dataset"], run.about["config"]
        same = self.seconds.get((dataset, config))
        if same is None:
            same = [value for (other, _), values in self.seconds.items() if other == dataset for value in values]
        return mean(same) if same else None

    def of_all(self, runs: Iterable[Run], workers: int) -> float | None:
        """Return the seconds of several runs with some workers at once; None unless the time of each is known."""
        each = [self.of(run) for run in runs]
        known = [seconds for seconds in each if seconds is not None]
        return sum(known) / workers if len(known) == len(each) else None

    def _take(self, marker: Mapping[str, Any]) -> float:
        seconds = float(marker["seconds"])
        self.seconds.setdefault((marker["dataset"], marker["config"]), []).append(seconds)
        return seconds


def in_words(seconds: float | None) -> str:
    """Return a time as printed: "40 s", "12 min", "3.5 h"; "unknown" for None."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
