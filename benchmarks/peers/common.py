"""What both libraries share: settings, clocks, the form of the report. Standard library alone: for two environments."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Literal

CLOCKS = {"wall": perf_counter, "processor": process_time}


@dataclass(frozen=True)
class Settings:
    """One SASRec with full cross-entropy, and the data it is trained on.

    Args:
        config: the data section of a run, for mmrec.
        root: where its prepared data lie.
        folder: where `train.parquet` and `test.parquet` lie, for the peer.
        n_items: real items, padding not counted.
        longest: the longest history of a test row, for the peer's filter of seen items.
        epochs: timed epochs, after one to warm up.
        tests: timed tests, after one to warm up.
        clock: "wall" time, or "processor" time, which other programs on the machine hardly change; with one thread.
        steps: number of steps of an epoch and of batches of a test; None for all.
        ffn_dim: width of the network on each position; RePlay's default is `hidden_dim`.
        attention_dropout: RePlay's block uses its one dropout rate on the attention weights too.
        loss_precision: precision of the loss's products in mmrec, "reduced" or "full".
    """

    config: str = ""
    root: str = "data"
    folder: str = ""
    n_items: int = 0
    longest: int = 0
    seed: int = 1
    threads: int = 2
    epochs: int = 3
    tests: int = 3
    steps: int | None = None
    clock: Literal["wall", "processor"] = "wall"
    length: int = 50
    batch_size: int = 128
    eval_batch_size: int = 256
    hidden_dim: int = 64
    layers: int = 2
    heads: int = 1
    ffn_dim: int = 64
    dropout: float = 0.2
    attention_dropout: float = 0.2
    lr: float = 1e-3
    loss_precision: Literal["reduced", "full"] = "reduced"

    @classmethod
    def from_command_line(cls) -> Settings:
        """Read the JSON object that is the only argument."""
        return cls(**json.loads(sys.argv[1]))


class EpochClock:
    """Times training epochs; mix it into the `Callback` of whichever Lightning package the library uses.

    Args:
        clock: the clock of the settings.
    """

    def __init__(self, clock: str = "wall") -> None:
        self.seconds: list[float] = []
        self.now = CLOCKS[clock]
        self._start = 0.0

    def on_train_epoch_start(self, trainer: object, module: object) -> None:
        """Start the clock."""
        self._start = self.now()

    def on_train_epoch_end(self, trainer: object, module: object) -> None:
        """Stop the clock."""
        self.seconds.append(self.now() - self._start)
        name = f"epoch {len(self.seconds) - 1}" if len(self.seconds) > 1 else "warm-up"
        print(f"    {name}: {self.seconds[-1]:.2f} s", file=sys.stderr, flush=True)


def timed_tests(
    tests: int, test: Callable[[], Sequence[Mapping[str, float]]], clock: str = "wall"
) -> tuple[list[float], dict[str, float]]:
    """Run a test once to warm up and then `tests` times; return the seconds of these and the metrics."""
    now = CLOCKS[clock]
    seconds: list[float] = []
    metrics: dict[str, float] = {}
    for _ in range(1 + tests):
        start = now()
        metrics = dict(test()[0])
        seconds.append(now() - start)
    print(f"    tests: {', '.join(f'{s:.2f}' for s in seconds[1:])} s", file=sys.stderr, flush=True)
    return seconds[1:], metrics


def peak_memory_mb() -> float:
    """Return the largest resident set of this process; `ru_maxrss` would count that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def report(packages: Sequence[str], parameters: int, clock: EpochClock, tests: list[float], ndcg: float) -> None:
    """Print one JSON object as the last line of stdout; what came before it is a library talking."""
    result = {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "parameters": parameters,
        "warm_up_seconds": clock.seconds[0],
        "epoch_seconds": clock.seconds[1:],
        "test_seconds": tests,
        "ndcg@10": ndcg,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(result), flush=True)
