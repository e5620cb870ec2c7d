"""GRU4Rec with full cross-entropy: mmrec against RecBole, same interactions, same widths, same machine, turn by turn.

Each library is used as its documentation says. RecBole makes a row of every target, with the window before it, and
trains on 2,048 rows a step; mmrec trains on all positions of 128 windows a step. What they have in common is the
target: targets a second are the next items, padding not counted, that go through loading, forward, backward and
optimiser. A round times a number of steps after a few to warm up, for an epoch of RecBole takes long.

Prints a table with ratios and writes it, with the machine's description, as JSON. RecBole runs in `.venv-recbole`,
which is made on first use.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import torch
from harness import HERE, RECBOLE_PINS, data_module, measure, one_line_errors, quiet_machine, write_result
from machine import environment_of
from peers.mmrec_gru4rec import GruSettings
from rich.console import Console
from rich.table import Column, Table

from mmrec.data.catalog import TrainView

ROWS = {
    "targets / s: median": ("targets_per_s", ",.0f"),
    "targets / s: lowest": ("targets_per_s_min", ",.0f"),
    "targets / s: highest": ("targets_per_s_max", ",.0f"),
    "step, ms: median": ("step_ms", ",.1f"),
    "step, ms: lowest": ("step_ms_min", ",.1f"),
    "step, ms: highest": ("step_ms_max", ",.1f"),
    "targets in a step: median": ("step_targets", ",.0f"),
    "peak memory, MB": ("peak_memory_mb", ",.0f"),
}


def write_atomic(view: TrainView, folder: Path) -> None:
    """Write RecBole's format, one training interaction a line; its place in the user's sequence is its time."""
    folder.mkdir()
    place = torch.arange(len(view.items)) - view.offsets[view.users]
    columns = {"user_id:token": view.users, "item_id:token": view.items, "timestamp:float": place}
    table = pl.DataFrame({name: column.numpy() for name, column in columns.items()})
    table.write_csv(folder / "train.inter", separator="\t")


def timed(report: dict[str, Any], warm_up: int) -> dict[str, Any]:
    """Turn the ends of the steps into seconds, and leave the steps to warm up out."""
    ends = report.pop("step_ends")
    seconds = [end - start for start, end in zip(ends[warm_up - 1 :], ends[warm_up:], strict=False)]
    return report | {"step_seconds": seconds, "step_targets": report["step_targets"][warm_up:]}


def summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put all steps of all rounds of one library together."""
    seconds = [second for one in rounds for second in one["step_seconds"]]
    targets = [count for one in rounds for count in one["step_targets"]]
    values = {
        "targets_per_s": [count / second for count, second in zip(targets, seconds, strict=True)],
        "step_ms": [1000 * second for second in seconds],
    }
    result: dict[str, Any] = {}
    for name, value in values.items():
        result |= {name: median(value), f"{name}_min": min(value), f"{name}_max": max(value)}
    result["step_targets"] = median(targets)
    result["peak_memory_mb"] = max(one["peak_memory_mb"] for one in rounds)
    return result | {"parameters": rounds[0]["parameters"], "versions": rounds[0]["versions"], "rounds": list(rounds)}


def show(ours: dict[str, Any], peer: dict[str, Any], title: str) -> None:
    """Print the table, with mmrec divided by RecBole in the last column."""
    table = Table("", *(Column(name, justify="right") for name in ("mmrec", "RecBole", "mmrec : RecBole")), title=title)
    for label, (key, form) in ROWS.items():
        table.add_row(label, f"{ours[key]:{form}}", f"{peer[key]:{form}}", f"{ours[key] / peer[key]:.2f}")
    Console().print(table)


def compare(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    own = ("config", "root", "length", "steps", "warm_up", "threads")
    default = GruSettings(**{name: getattr(options, name) for name in own})
    data = data_module(default.config, root=default.root)
    view = data.catalog.train
    targets = int((view.offsets.diff() - 1).clamp(min=0).sum())  # the first item of a user is none
    sides = {
        "mmrec": (sys.executable, "peers.mmrec_gru4rec"),
        "RecBole": (environment_of("recbole", "recbole", "1.2.1", pins=RECBOLE_PINS), "peers.recbole_gru4rec"),
    }
    machine = quiet_machine()
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        write_atomic(view, Path(folder) / "train")
        for turn in range(1, options.rounds + 1):
            settings = replace(default, folder=folder, seed=turn)
            for name, (python, module) in sides.items():
                print(f"round {turn} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                report = measure([python, "-m", module, json.dumps(asdict(settings))], settings.threads)
                rounds[name].append(timed(report, settings.warm_up))
    rows = {one["epoch_targets"] for one in rounds["RecBole"]}
    if rows != {targets}:
        sys.exit(f"benchmark: RecBole trains on {rows} targets, but the training interactions have {targets}")
    ours, peer = (summary(rounds[name]) for name in sides)
    show(ours, peer, f"GRU4Rec-CE on {data.source.name}, L {default.length}, threads: {default.threads}")
    sizes = {"n_users": data.n_users, "n_items": data.n_items - 1, "interactions": len(view.items), "targets": targets}
    result = {
        "machine": machine,
        "data": {"name": data.source.name, "data_hash": data.catalog.manifest.data_hash, **sizes},
        "settings": {key: value for key, value in asdict(default).items() if key not in ("root", "folder", "seed")},
        "ratios": {key: ours[key] / peer[key] for key, _ in ROWS.values()},
        "mmrec": ours,
        "recbole": peer,
    }
    write_result(options.output, result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    output = HERE / "results" / "gru4rec_against_recbole.json"
    parser.add_argument("--config", default="lightning_configs/data/movielens.yaml", help="data section of a run")
    parser.add_argument("--root", default="data", help="where prepared datasets are kept")
    parser.add_argument("--steps", type=int, default=48, help="timed steps of each library in a round")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before these")
    parser.add_argument("--rounds", type=int, default=2, help="how often each library has its turn")
    parser.add_argument("--length", type=int, default=50, help="longest window L")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=output)
    options = parser.parse_args()
    if min(options.steps, options.warm_up, options.rounds, options.length, options.threads) < 1:
        parser.error("--steps, --warm-up, --rounds, --length and --threads are at least 1")
    with one_line_errors():
        compare(options)


if __name__ == "__main__":
    main()
