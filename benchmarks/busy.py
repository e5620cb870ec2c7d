"""A busy machine: one fit of the toy shop as a whole command, alone and next to programs that keep the cores busy.

Waiting threads sleep by default, see `mmrec.utils.threads`; the other settings are what a user could choose instead,
among them the default of GNU's OpenMP runtime, which spins. Prints a table of seconds and writes it, with the machine's
description, as JSON.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from harness import quiet_machine, write_result
from machine import REPOSITORY
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

SETTINGS: dict[str, dict[str, str]] = {
    "mmrec's default: threads sleep": {},
    "runtime's default: threads spin": {"GOMP_SPINCOUNT": "300000"},
    "threads spin briefly": {"GOMP_SPINCOUNT": "1000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
BUSY_LOOP = "while True: pass"


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Run programs that keep all cores busy, each with as many busy processes as there are cores."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(count * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def seconds(run: list[str], setting: dict[str, str]) -> float:
    """Time one fit as a whole command."""
    chosen = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {name: value for name, value in os.environ.items() if name not in chosen} | setting
    with tempfile.TemporaryDirectory() as runs:
        quiet = ["--runs", runs, "--explain", "false", "--tracking.wandb", "false", "--trainer.accelerator", "cpu"]
        command = [sys.executable, "-m", "mmrec", "fit", *run, *quiet, "--trainer.enable_progress_bar", "false"]
        start = perf_counter()
        subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
        return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", default="toy")
    parser.add_argument("--model", default="mm_racl_kal")
    parser.add_argument("--length", type=int, default=50, help="length of the windows")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results" / "busy.json")
    options = parser.parse_args()
    machine = quiet_machine()
    run = ["--data", options.data, "--model", options.model, "--data.max_length", str(options.length)]
    run += ["--trainer.max_epochs", str(options.epochs)]
    seconds(run, {})  # prepares the data and warms the file cache up
    times: dict[str, dict[str, list[float]]] = {name: {str(n): [] for n in options.neighbours} for name in SETTINGS}
    for _ in track(range(options.rounds), description="rounds", transient=True):
        for count in options.neighbours:
            with neighbours(count):
                for name, setting in SETTINGS.items():
                    times[name][str(count)].append(seconds(run, setting))
    table = Table("seconds", *(Column(f"next to {n}", justify="right") for n in options.neighbours))
    for name, found in times.items():
        table.add_row(
            name, *(f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})" for values in found.values())
        )
    Console(width=100).print(table)
    write_result(options.output, {"machine": machine, "run": run, "rounds": options.rounds, "seconds": times})


if __name__ == "__main__":
    main()
