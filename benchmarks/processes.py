"""Two processes against one: the same run trained by `lightning fit` on the CPU, by DDP over gloo, turn by turn.

A process has one thread, and the batch of all processes together stays the same. Prints what an epoch takes from the
second one on, validation aside, and the test metrics of one checkpoint with one process and with two; writes both, with
the machine's description, as JSON; exits with 1 unless the metrics agree to 1e-6.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch
from harness import HERE, lightning, one_line_errors, quiet_machine, write_result
from rich.console import Console
from rich.table import Column, Table

from mmrec.batch import PAD, TrainBatch
from mmrec.cli.data_section import read_data
from mmrec.errors import UserError
from mmrec.training.callbacks.save_results import SaveResults

PROCESSES = (1, 2)
LIMIT = 1e-6  # of the difference between metrics
EPOCHS = "epochs.json"


class EpochRates(pl.Callback):
    """Times the steps of each epoch, counts them and their targets, and writes `epochs.json` into the run's folder."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self._start = self._end = 0.0
        self._batches = self._targets = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._batches = self._targets = 0
        self._start = perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Count the step; the validation that ends an epoch comes after the last of them.

        Raises:
            UserError: the model does not train on windows.
        """
        if not isinstance(batch, TrainBatch):
            raise UserError("this measures models that train on windows of sequences: choose another --config")
        self._targets += int((batch.targets != PAD).sum())
        self._batches += 1
        self._end = perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the epoch, with the targets of all processes; these are in step, so that one clock tells for all."""
        targets = trainer.strategy.reduce(torch.tensor(float(self._targets)), reduce_op="sum")
        epoch = {"seconds": self._end - self._start, "batches": self._batches, "targets": float(targets)}
        self.epochs.append(epoch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        if trainer.is_global_zero:
            Path(trainer.default_root_dir, EPOCHS).write_text(json.dumps(self.epochs), encoding="utf-8")


def devices(processes: int) -> list[str]:
    """Return the options of the trainer."""
    return [f"--trainer.devices={processes}", *(["--trainer.strategy=ddp"] if processes > 1 else [])]


def fit(options: argparse.Namespace, processes: int, batch_size: int, runs: Path) -> Path:
    """Train with so many processes and return the run's folder."""
    return lightning(
        "fit",
        ("--config", options.config),
        runs,
        *devices(processes),
        f"--trainer.max_epochs={1 + options.epochs}",
        f"--data.batch_size={batch_size // processes}",
        "--trainer.callbacks+=processes.EpochRates",
        "--test_after_fit=false",
    )


def test(options: argparse.Namespace, processes: int, checkpoint: Path, runs: Path) -> dict[str, float]:
    """Test a checkpoint with so many processes and return its metrics."""
    results = f"--trainer.callbacks=[{SaveResults.__module__}.{SaveResults.__name__}]"  # and no explanations
    folder = lightning(
        "test", ("--config", options.config), runs, *devices(processes), f"--ckpt_path={checkpoint}", results
    )
    (file,) = folder.glob("result*.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    if result["machine"]["processes"] != processes:
        raise UserError(f"the test ran in {result['machine']['processes']} processes, not in {processes}")
    metrics: dict[str, float] = result["metrics"]
    return metrics


def summary(rounds: Sequence[Sequence[dict[str, float]]]) -> dict[str, Any]:
    """Put the epochs of all rounds together, the first one of each aside."""
    epochs = [epoch for one in rounds for epoch in one[1:]]
    result: dict[str, Any] = {}
    for name in ("batches", "targets"):
        rates = [epoch[name] / epoch["seconds"] for epoch in epochs]
        result |= {f"{name}_per_s": median(rates), f"{name}_per_s_min": min(rates), f"{name}_per_s_max": max(rates)}
    return result | {"rounds": [list(one) for one in rounds]}


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Train and test with one process and with two."""
    data = read_data("benchmark", None, ["--config", options.config])
    if data.batch_size % max(PROCESSES):
        raise UserError(f"data.batch_size must be even to be shared out, but is {data.batch_size}")
    manifest = data.catalog.manifest
    machine = quiet_machine()
    rounds: dict[int, list[list[dict[str, float]]]] = {processes: [] for processes in PROCESSES}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(1, options.rounds + 1):
            for processes in PROCESSES:
                print(f"round {turn} of {options.rounds}: processes: {processes}", file=sys.stderr, flush=True)
                trained = fit(options, processes, data.batch_size, Path(folder, f"fit-{turn}-{processes}"))
                rounds[processes].append(json.loads((trained / EPOCHS).read_text(encoding="utf-8")))
        checkpoint = trained / "checkpoints" / "best.ckpt"
        metrics = {n: test(options, n, checkpoint, Path(folder, f"test-{n}")) for n in PROCESSES}
    sides = {processes: summary(rounds[processes]) for processes in PROCESSES}
    one, two = (sides[processes] for processes in PROCESSES)
    return {
        "machine": machine,
        "data": {"name": data.source.name, "data_hash": manifest.data_hash},
        "settings": {
            **{key: getattr(options, key) for key in ("config", "epochs", "rounds")},
            "batch_size": data.batch_size,
            "threads": 1,
        },
        "processes": sides,
        "ratios": {key: two[key] / one[key] for key in ("batches_per_s", "targets_per_s")},
        "metrics": metrics,
        "deviation": max(abs(metrics[2][name] - value) for name, value in metrics[1].items()),
    }


def show(result: dict[str, Any]) -> None:
    """Print rates with their ratio, and metrics with their difference."""
    title = f"{result['settings']['config']}, batches of {result['settings']['batch_size']} in all"
    names = ("1 process", "2 processes", "2 : 1")
    table = Table("median (lowest to highest)", *(Column(name, justify="right") for name in names), title=title)
    for key, form in {"batches_per_s": ".1f", "targets_per_s": ",.0f"}.items():
        cells = (
            f"{side[key]:{form}} ({side[f'{key}_min']:{form}} to {side[f'{key}_max']:{form}})"
            for side in result["processes"].values()
        )
        table.add_row(key.replace("_per_", " / "), *cells, f"{result['ratios'][key]:.2f}")
    one, two = result["metrics"].values()
    tests = Table("test of one checkpoint", *(Column(name, justify="right") for name in (*names[:2], "difference")))
    for name, value in one.items():
        tests.add_row(name, f"{value:.6f}", f"{two[name]:.6f}", f"{abs(two[name] - value):.1e}")
    for part in (table, tests):
        Console(width=100).print(part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", default="lightning_configs/run/toy_mm_racl_kal.yaml", help="a run on windows")
    parser.add_argument("--epochs", type=int, default=9, help="timed epochs in a round, after one to warm up")
    parser.add_argument("--rounds", type=int, default=3, help="how often one process and two have their turn")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "processes.json")
    options = parser.parse_args()
    if min(options.epochs, options.rounds) < 1:
        parser.error("--epochs and --rounds are at least 1")
    with one_line_errors():
        result = compare(options)
    write_result(options.output, result)
    show(result)
    sys.exit(0 if result["deviation"] <= LIMIT else "benchmark: one process and two do not agree on the metrics")


if __name__ == "__main__":
    main()
