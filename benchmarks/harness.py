"""What the scripts have in common: data, sides in processes of their own, results beside the machine they come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser
from machine import REPOSITORY, describe_machine
from torch import Tensor

from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.indexing import EpochSeed
from mmrec.errors import UserError
from mmrec.utils.environment import git_state
from mmrec.utils.shipped import find_config

HERE = REPOSITORY / "benchmarks"
RECBOLE_PINS = ("numpy<2", "scipy<1.13", "pandas<3")  # RecBole 1.2.1 fills a dok_matrix by what SciPy 1.13 removed


def data_module(config: str, features: bool = False, **options: object) -> RecDataModule:
    """Read the data section of a run with some options set; its encoder is left out unless features are needed."""
    parser = ArgumentParser()
    parser.add_class_arguments(RecDataModule, "data", sub_configs=True)
    arguments = [
        f"--data={find_config(config) or config}",
        *(f"--data.{key}={value}" for key, value in options.items()),
    ]
    arguments += [] if features else ["--data.encoder=null"]
    data: RecDataModule = parser.instantiate_classes(parser.parse_args(arguments)).data
    return data


def triplets_of(data: RecDataModule, steps: int, seed: int) -> Tensor:
    """Return user, positive and negative item of some steps, (steps, 3, B); epochs follow until there are enough."""
    triplets: list[Tensor] = []
    epoch = 0
    while len(triplets) < steps:
        loader = data.train_loader("pairs")
        loader.epoch_seed = EpochSeed(seed, lambda: epoch)  # noqa: B023  called at once
        for batch in loader:
            triplets.append(torch.stack([batch.user, batch.positive, batch.negative]))  # type: ignore[union-attr]
            if len(triplets) == steps:
                break
        epoch += 1
    size = min(triplet.shape[1] for triplet in triplets)  # batches of an epoch differ by one
    return torch.stack([triplet[:, :size] for triplet in triplets])


def quiet_trainer(**options: Any) -> pl.Trainer:
    """Return a trainer on one CPU process that trains or tests and does nothing beside."""
    return pl.Trainer(
        accelerator="cpu",
        devices=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def measure(command: Sequence[str], threads: int, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run one side in its own process: progress goes to stderr, the report is the last line of stdout.

    Args:
        command: Python and what follows it.
        threads: of OpenMP.
        environment: variables beside those of this process.
    """
    variables = _environment(threads) | dict(environment or {})
    python, *rest = command
    full = [python, "-W", "ignore", *rest]
    done = subprocess.run(full, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def lightning(command: str, run: Sequence[str], runs: Path, *arguments: str, threads: int = 1) -> Path:
    """Run a command of `lightning` on the CPU; return the run's folder, or `runs` where there was nothing to do.

    Args:
        command: fit, test and so on.
        run: arguments that describe the run, for example `("--data", "toy", "--model", "sasrec")`.
        runs: folder for this run alone.
        arguments: further options.
        threads: number of OpenMP threads per process.
    """
    options = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--tracking.wandb=false"]
    full = [sys.executable, "-m", "mmrec", command, *run, "--runs", str(runs), *options, *arguments]
    subprocess.run(full, env=_environment(threads), stdout=sys.stderr, check=True)
    return next(runs.glob("*/*/seed*"), runs)


def _environment(threads: int) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": f"{HERE}:{REPOSITORY}"}


def quiet_machine() -> dict[str, Any]:
    """Describe the machine, and say so if it is busy."""
    machine = describe_machine()
    if machine["load_before"] > 0.5:
        print(f"the machine is busy (load {machine['load_before']}): timings will be off", file=sys.stderr)
    return machine


def write_result(output: Path, result: Mapping[str, Any]) -> None:
    """Write a result, the machine in it, as JSON with the date and the state of the code."""
    stamp = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "git": git_state()}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**stamp, **result}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {output}")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End with one line where the data are missing or a side fails."""
    try:
        yield
    except UserError as error:
        sys.exit(f"benchmark: {error} (without MovieLens, where there is a --config: a config of the toy shop)")
    except subprocess.CalledProcessError as error:
        sys.exit(f"benchmark: {' '.join(map(str, error.cmd[:6]))} ... failed with exit status {error.returncode}")
