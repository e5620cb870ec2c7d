"""SASRec with full cross-entropy: mmrec against RePlay, same data, same settings, same machine, turn by turn.

RePlay runs as it is installed, and with glibc told to keep freed memory, which mmrec tells it by itself. mmrec runs as
it is installed, with its loss at reduced precision, and at full precision, `--loss_precision full`: RePlay's are in
fp32. Prints a table and writes it, with the machine's description, as JSON. RePlay runs in `.venv-replay`, which is
made on first use.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from harness import HERE, measure, one_line_errors, quiet_machine, write_result
from machine import environment_of
from peers.common import Settings
from peers.mmrec_sasrec import newest_windows
from peers.sequences import write_sequences
from rich.console import Console
from rich.table import Column, Table

ROWS = {
    "epoch, s: median": ("epoch_s", ".2f"),
    "epoch, s: lowest": ("epoch_s_min", ".2f"),
    "epoch, s: highest": ("epoch_s_max", ".2f"),
    "targets / s": ("targets_per_s", ",.0f"),
    "test, s: median": ("test_s", ".2f"),
    "test, s: lowest": ("test_s_min", ".2f"),
    "test, s: highest": ("test_s_max", ".2f"),
    "users / s": ("users_per_s", ",.0f"),
    "NDCG@10": ("ndcg@10", ".4f"),
    "peak memory, MB": ("peak_memory_mb", ",.0f"),
}
TIMES = {"training, times RePlay": "times_targets_per_s", "test, times RePlay": "times_users_per_s"}
KEEP_FREED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(2**26)}
"""glibc's own variables for what `mmrec.utils.allocator` sets."""


@dataclass(frozen=True)
class Side:
    """One column of the table: who runs, with what products and environment."""

    python: str
    module: str
    loss_precision: Literal["reduced", "full"] = "reduced"
    environment: dict[str, str] = field(default_factory=dict)


def sides() -> dict[str, Side]:
    """Return the columns; makes RePlay's environment."""
    replay = environment_of("replay", "replay-rec", "0.22.0", "torch")
    return {
        "mmrec": Side(sys.executable, "peers.mmrec_sasrec"),
        "mmrec, full": Side(sys.executable, "peers.mmrec_sasrec", "full"),
        "RePlay": Side(replay, "peers.replay_sasrec"),
        "RePlay, malloc": Side(replay, "peers.replay_sasrec", environment=KEEP_FREED),
    }


def part(settings: Settings, sizes: dict[str, int]) -> dict[str, int]:
    """Return the targets of an epoch and the instances of a test, of the steps alone where their number is limited."""
    if settings.steps is None:
        return {"targets": sizes["targets"], "instances": sizes["instances"]}
    batches = -(-sizes["n_users"] // settings.batch_size)
    return {
        "targets": round(sizes["targets"] * min(1.0, settings.steps / batches)),
        "instances": min(sizes["instances"], settings.steps * settings.eval_batch_size),
    }


def summary(rounds: Sequence[dict[str, Any]], sizes: dict[str, int]) -> dict[str, Any]:
    """Put all rounds of one side together."""
    result: dict[str, Any] = {}
    for name in ("epoch", "test"):
        seconds = [second for one in rounds for second in one[f"{name}_seconds"]]
        result |= {f"{name}_s": median(seconds), f"{name}_s_min": min(seconds), f"{name}_s_max": max(seconds)}
    result["targets_per_s"] = sizes["targets"] / result["epoch_s"]
    result["users_per_s"] = sizes["instances"] / result["test_s"]
    result["ndcg@10"] = mean(one["ndcg@10"] for one in rounds)
    result["peak_memory_mb"] = max(one["peak_memory_mb"] for one in rounds)
    return result | {"parameters": rounds[0]["parameters"], "versions": rounds[0]["versions"], "rounds": list(rounds)}


def show(columns: dict[str, dict[str, Any]], title: str) -> None:
    """Print the table, and how many times as fast each side is as RePlay as it is installed."""
    table = Table("", *(Column(name, justify="right") for name in columns), title=title)
    for label, (key, form) in ROWS.items():
        table.add_row(label, *(f"{one[key]:{form}}" for one in columns.values()))
    for label, key in TIMES.items():
        table.add_row(label, *(f"{one[key]:.2f}" for one in columns.values()))
    Console(width=120).print(table)


def compare(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    default = Settings(config=options.config, length=options.length, epochs=options.epochs, threads=options.threads)
    default = replace(default, clock=options.clock, steps=options.steps)
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(default, folder=folder, root=options.root, attention_dropout=options.attention_dropout)
        data = newest_windows(settings)
        sizes = write_sequences(data.catalog, settings.length, Path(folder))
        settings = replace(settings, n_items=sizes["n_items"], longest=sizes["longest"])
        running = sides()
        machine = quiet_machine()
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in running}
        for turn in range(1, options.rounds + 1):
            for name, side in running.items():
                print(f"round {turn} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                own = replace(settings, seed=turn, loss_precision=side.loss_precision)
                command = [side.python, "-m", side.module, json.dumps(asdict(own))]
                rounds[name].append(measure(command, own.threads, side.environment))
    columns = {name: summary(reports, part(settings, sizes)) for name, reports in rounds.items()}
    for one in columns.values():
        for times in TIMES.values():
            one[times] = one[times.removeprefix("times_")] / columns["RePlay"][times.removeprefix("times_")]
    show(columns, f"SASRec-CE on {data.source.name}, L {settings.length}, threads: {settings.threads}")
    kept = ("folder", "root", "seed", "longest", "loss_precision")
    result = {
        "machine": machine,
        "data": {"name": data.source.name, "data_hash": data.catalog.manifest.data_hash, **sizes},
        "settings": {key: value for key, value in asdict(settings).items() if key not in kept},
        "sides": columns,
    }
    output = options.output or HERE / "results" / f"sasrec_against_replay_{settings.length}.json"
    write_result(output, result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", default="lightning_configs/data/movielens.yaml", help="data section of a run")
    parser.add_argument("--epochs", type=int, default=3, help="timed epochs in a round, after one to warm up")
    parser.add_argument("--rounds", type=int, default=2, help="how often each library has its turn")
    parser.add_argument("--length", type=int, default=50, help="longest window L")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", choices=("wall", "processor"), default="wall", help="processor: on a busy machine, with --threads 1"
    )
    parser.add_argument("--steps", type=int, help="steps of an epoch and batches of a test; all by default")
    parser.add_argument("--attention-dropout", type=float, default=0.2, help="of mmrec; RePlay's is always 0.2")
    parser.add_argument("--root", default="data", help="where the prepared data lie")
    parser.add_argument("--output", type=Path, help="results/sasrec_against_replay_<length>.json")
    options = parser.parse_args()
    if min(options.epochs, options.rounds, options.length, options.threads) < 1:
        parser.error("--epochs, --rounds, --length and --threads are at least 1")
    with one_line_errors():
        compare(options)


if __name__ == "__main__":
    main()
