"""What every model costs: seconds of an epoch with its validation, parameters, memory, and time to its best epoch.

Trains each configured model for a few epochs by `lightning fit`, one after another. How many epochs it takes to the
best one and to the end of the run comes from its committed result: these runs may have shared their machine, so that
their own seconds say little. A model with nothing to train is left out. Prints a table and writes it as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pytorch_lightning as pl
from harness import HERE, lightning, one_line_errors, quiet_machine, write_result
from machine import REPOSITORY
from peers.common import EpochClock
from rich.console import Console
from rich.table import Column, Table

from mmrec.utils.environment import peak_memory_mb

REPORT = "cost.json"
HEADS = ("epoch, s", "lowest", "highest", "parameters", "peak MB", "best epoch", "min to best", "min to end of run")


class Cost(EpochClock, pl.Callback):
    """Times epochs, validation included, and writes `cost.json` into the run's folder."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        parameters = sum(p.numel() for p in pl_module.parameters())
        report = {"seconds": self.seconds, "parameters": parameters, "peak_memory_mb": peak_memory_mb()["host"]}
        Path(trainer.default_root_dir, REPORT).write_text(json.dumps(report), encoding="utf-8")


def cost(model: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return what a few epochs of a model cost, the first one aside; None where nothing is trained."""
    with tempfile.TemporaryDirectory() as folder:
        run = lightning(
            "fit",
            ("--data", options.dataset, "--model", model),
            Path(folder),
            f"--data.root={options.root}",
            f"--trainer.max_epochs={1 + options.epochs}",
            "--trainer.callbacks+=models.Cost",
            "--test_after_fit=false",
            threads=options.threads,
        )
        if not (run / REPORT).is_file():
            return None
        report: dict[str, Any] = json.loads((run / REPORT).read_text(encoding="utf-8"))
        dataset, name = run.parts[-3:-1]
    seconds = report["seconds"][1:]
    spread = {"epoch_s": median(seconds), "epoch_s_min": min(seconds), "epoch_s_max": max(seconds)}
    length = to_best(options.results / f"{dataset}_{name}_seed1.json", spread["epoch_s"])
    return {**spread, "parameters": report["parameters"], "peak_memory_mb": report["peak_memory_mb"], **length}


def to_best(result: Path, epoch_seconds: float) -> dict[str, float | None]:
    """Return the best epoch of a committed run, and the minutes that so many epochs take to it and to the run's end."""
    training = json.loads(result.read_text(encoding="utf-8"))["training"] if result.is_file() else {}
    best, epochs = training.get("best_epoch"), training.get("epochs")
    if best is None or epochs is None:
        return dict.fromkeys(("best_epoch", "minutes_to_best", "minutes_to_end"))
    minutes = {"minutes_to_best": (best + 1) * epoch_seconds / 60, "minutes_to_end": epochs * epoch_seconds / 60}
    return {"best_epoch": best, **minutes}


def row(cells: Mapping[str, float | None]) -> list[str]:
    """Form the numbers of one model for the table."""
    forms = (".2f", ".2f", ".2f", ",.0f", ",.0f", ".0f", ".1f", ".1f")
    return ["" if value is None else f"{value:{form}}" for value, form in zip(cells.values(), forms, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    names = sorted(path.stem for path in (REPOSITORY / "lightning_configs" / "model").glob("*.yaml"))
    parser.add_argument("--models", nargs="+", default=names, choices=names, metavar="MODEL", help="of model/*.yaml")
    parser.add_argument("--dataset", default="movielens", help="first part of the names of run/*.yaml")
    parser.add_argument("--root", default="data", help="where prepared datasets are kept")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "experiments" / "results")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "models.json")
    options = parser.parse_args()
    if min(options.epochs, options.threads) < 1:
        parser.error("--epochs and --threads are at least 1")
    machine = quiet_machine()
    costs: dict[str, dict[str, Any]] = {}
    with one_line_errors():
        for number, model in enumerate(options.models, start=1):
            print(f"{model} ({number} of {len(options.models)})", file=sys.stderr, flush=True)
            if (found := cost(model, options)) is not None:
                costs[model] = found
    settings = {key: getattr(options, key) for key in ("dataset", "epochs", "threads")}
    write_result(options.output, {"machine": machine, "settings": settings, "models": costs})
    table = Table("", *(Column(head, justify="right") for head in HEADS), title=f"cost on {options.dataset}")
    for model, cells in costs.items():
        table.add_row(model, *row(cells))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
