"""A busy machine: training alone and next to programs that keep the cores busy, with threads that wait differently.

Without `--replay`, one fit as a whole command. Waiting threads sleep by default, see `mmrec.utils.threads`; the other
settings are what a user could choose instead, among them the default of GNU's OpenMP runtime, which spins.

With `--replay`, steps of SASRec on MovieLens, by mmrec and by RePlay next to the same programs; both settings are given
to both, and each is installed with the first of its rows.

Prints a table of seconds and writes it, with the machine's description, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from harness import measure, one_line_errors, quiet_machine, write_result
from machine import REPOSITORY, environment_of
from peers.common import Settings
from peers.mmrec_sasrec import newest_windows
from peers.sequences import write_sequences
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

SLEEP, SPIN = {"OMP_WAIT_POLICY": "PASSIVE"}, {"GOMP_SPINCOUNT": "300000"}
SETTINGS: dict[str, dict[str, str]] = {
    "mmrec's default: threads sleep": {},
    "runtime's default: threads spin": SPIN,
    "threads spin briefly": {"GOMP_SPINCOUNT": "1000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
BUSY_LOOP = "while True: pass"

Sides = dict[str, Callable[[], float]]
"""What is timed, by name; each returns seconds."""


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


def fits(options: argparse.Namespace) -> Sides:
    """Return one fit per setting, as a whole command; prepares the data."""
    run = ["--data", options.data, "--model", options.model, "--data.max_length", str(options.length)]
    run += ["--trainer.max_epochs", str(options.epochs)]
    seconds(run, {})  # warms the file cache up, too
    return {name: lambda setting=setting: seconds(run, setting) for name, setting in SETTINGS.items()}


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


def steps(options: argparse.Namespace, folder: str) -> Sides:
    """Return the steps of both libraries with both settings; prepares the data and RePlay's environment."""
    settings = Settings(
        config="lightning_configs/data/movielens.yaml", folder=folder, length=options.length,
        epochs=1, tests=0, steps=options.steps, threads=os.cpu_count() or 1,
    )  # fmt: skip
    sizes = write_sequences(newest_windows(settings).catalog, settings.length, Path(folder))
    text = json.dumps(asdict(replace(settings, n_items=sizes["n_items"], longest=sizes["longest"])))
    replay = environment_of("replay", "replay-rec", "0.22.0", "torch")

    def step(python: str, module: str, setting: dict[str, str]) -> float:
        report = measure([python, "-m", module, text], settings.threads, setting)
        return float(report["epoch_seconds"][0]) / options.steps

    sides = {
        "mmrec, threads sleep": (sys.executable, "peers.mmrec_sasrec", SLEEP),
        "mmrec, threads spin": (sys.executable, "peers.mmrec_sasrec", SPIN),
        "RePlay, threads spin": (replay, "peers.replay_sasrec", SPIN),
        "RePlay, threads sleep": (replay, "peers.replay_sasrec", SLEEP),
    }
    return {name: lambda side=side: step(*side) for name, side in sides.items()}


def compare(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    machine = quiet_machine()
    with tempfile.TemporaryDirectory() as folder:
        sides = steps(options, folder) if options.replay else fits(options)
        times: dict[str, dict[str, list[float]]] = {name: {str(n): [] for n in options.neighbours} for name in sides}
        for _ in track(range(options.rounds), description="rounds", transient=True):
            for count in options.neighbours:
                with neighbours(count):
                    for name, time in sides.items():
                        times[name][str(count)].append(time())
    unit = "seconds per step" if options.replay else "seconds"
    table = Table(unit, *(Column(f"next to {n}", justify="right") for n in options.neighbours))
    for name, found in times.items():
        table.add_row(
            name, *(f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})" for values in found.values())
        )
    Console(width=100).print(table)
    kept = ("length", "steps", "rounds") if options.replay else ("data", "model", "length", "epochs", "rounds")
    result = {"machine": machine, "settings": {name: getattr(options, name) for name in kept}, "unit": unit}
    name = f"busy_against_replay_{options.length}" if options.replay else "busy"
    output = options.output or REPOSITORY / "benchmarks" / "results" / f"{name}.json"
    write_result(output, {**result, "times": times})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--replay", action="store_true", help="time steps of SASRec on MovieLens against RePlay's")
    parser.add_argument("--data", default="toy", help="of the fit")
    parser.add_argument("--model", default="mm_racl_kal", help="of the fit")
    parser.add_argument("--length", type=int, default=50, help="length of the windows")
    parser.add_argument("--epochs", type=int, default=6, help="of the fit")
    parser.add_argument("--steps", type=int, default=12, help="timed steps with --replay, after as many to warm up")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2], help="numbers of programs")
    parser.add_argument("--output", type=Path, help="results/busy.json or results/busy_against_replay_<length>.json")
    options = parser.parse_args()
    with one_line_errors():
        compare(options)


if __name__ == "__main__":
    main()
