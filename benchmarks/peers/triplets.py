"""What both LightGCNs start from and hand back, as two NumPy files. For two environments: NumPy alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.common import peak_memory_mb


@dataclass(frozen=True)
class GraphSettings:
    """One LightGCN and the folder where its `start.npz` lies.

    `start.npz` holds `edges` (2, n), user and item of every training interaction, `users` (U, D) and `items` (I, D),
    the ego embeddings to start from, and `triplets` (steps, 3, B), user, positive and negative item of every step;
    item 0 is padding.
    """

    folder: str = ""
    layers: int = 3
    l2: float = 1e-4
    lr: float = 1e-3
    threads: int = 2

    @classmethod
    def from_command_line(cls) -> GraphSettings:
        """Read the JSON object that is the only argument, and take it away: RecBole reads arguments of its own."""
        return cls(**json.loads(sys.argv.pop()))

    def start(self) -> dict[str, NDArray[Any]]:
        """Read `start.npz`."""
        return dict(np.load(Path(self.folder) / "start.npz"))

    def result(self, side: str) -> Path:
        """Where a side writes what it came to."""
        return Path(self.folder) / f"{side}.npz"


def timed_steps(triplets: NDArray[Any], step: Callable[[NDArray[Any]], None]) -> list[float]:
    """Take all steps and return the seconds of each."""
    seconds: list[float] = []
    for number, triplet in enumerate(triplets, start=1):
        start = perf_counter()
        step(triplet)
        seconds.append(perf_counter() - start)
        if number % 50 == 0:
            print(f"    step {number}: {1000 * sum(seconds[-50:]) / 50:.0f} ms each", file=sys.stderr, flush=True)
    return seconds


def report(packages: Sequence[str], seconds: Sequence[float]) -> None:
    """Print one JSON object as the last line of stdout."""
    versions = {name: version(name) for name in packages}
    print(json.dumps({"versions": versions, "step_seconds": list(seconds), "peak_memory_mb": peak_memory_mb()}))
