"""Loggers of a run: a CSV file always, and Weights & Biases."""

from __future__ import annotations

import hashlib
import json
import netrc
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from mmrec.errors import UserError
from mmrec.metrics.cost import seconds_per_epoch


@dataclass(frozen=True)
class Tracking:
    """Options of the loggers.

    Args:
        wandb: mirror the run to Weights & Biases; without an account it is recorded offline.
        project: W&B project.
        entity: W&B team or user; null for the account's default.
        job_type: train, ablation, sensitivity, efficiency or explain.
        tags: W&B tags besides the seed, for example the table that a run belongs to.
    """

    wandb: bool = True
    project: str = "mmrec"
    entity: str | None = None
    job_type: str = "train"
    tags: list[str] = field(default_factory=list)


def logged_in() -> bool:
    """Whether runs are sent to W&B while they run, decided without asking it: as WANDB_MODE says, or by an account."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"] == "online"
    return has_account()


def has_account() -> bool:
    """Whether this machine has the key of a W&B account, in the environment or netrc; whether it is valid W&B knows."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc").authenticators(host) is not None
    except (OSError, RuntimeError, netrc.NetrcParseError):  # RuntimeError: this user has no home folder
        return False


def run_id(config: Mapping[str, object]) -> str:
    """Return the W&B run id of a config (seed included): the same run started again is the same run there."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:16]


def loggers(
    tracking: Tracking, runs: Path, dataset: str, model: str, seed: int, config: Mapping[str, object]
) -> list[Logger]:
    """Make the loggers of one run; metrics, config and checkpoints share `runs/<dataset>/<model>/seed<k>/`."""
    made: list[Logger] = [CSVLogger(runs, name=f"{dataset}/{model}", version=f"seed{seed}")]
    if tracking.wandb and os.environ.get("WANDB_MODE") != "disabled":
        folder = (runs / dataset / model / f"seed{seed}").absolute()  # the recording process has a folder of its own
        folder.mkdir(parents=True, exist_ok=True)
        made.append(WandbLogger(experiment=_record(tracking, dataset, model, seed, config, folder), log_model=False))
    return made


def _record(tracking: Tracking, dataset: str, model: str, seed: int, config: Mapping[str, object], folder: Path) -> Any:
    """Start the W&B record of a run, on the first process of the run alone; None on the others."""
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # set at run time
        return None
    import wandb  # importing it takes a second, which a run without it need not wait for

    options: dict[str, Any] = {
        "name": f"{dataset}-{model}-seed{seed}",
        "dir": folder,
        "id": run_id(config),
        "project": tracking.project,
        "entity": tracking.entity,
        "group": f"{dataset}/{model}",
        "job_type": tracking.job_type,
        "tags": [*tracking.tags, f"seed{seed}"],
        "mode": "online" if logged_in() else "offline",
        "resume": "allow",
        # Quiet; nothing captured from the terminal, and no process that samples the machine's load during training.
        "settings": wandb.Settings(silent=True, console="off", x_disable_stats=True),
    }
    try:
        return wandb.init(**options)
    except (KeyError, RuntimeError) as error:  # what Python raises for a user without a home folder or a name
        raise UserError(
            f"W&B finds no home folder or name of this user ({error}): set HOME and USER, or pass "
            "--tracking.wandb false"
        ) from error


def mirror_result(loggers: Iterable[Logger], result: Mapping[str, Any]) -> None:
    """Add cost, slices and measures beyond accuracy of a result to the summary of its W&B run.

    The keys are `cost/parameters`, `cost/epochs`, `cost/seconds`, `cost/seconds_per_epoch`, `cost/host_mb`,
    `cost/device_mb` (a GPU's), `slices/<slice>/<metric>` and `beyond/<measure>`; what a run does not have is left out.

    Args:
        loggers: loggers of the trainer; only those of W&B are used.
        result: as `SaveResults` writes it.
    """
    training = result["training"]
    numbers = {
        "cost/parameters": result["parameters"],
        "cost/epochs": training["epochs"],
        "cost/seconds": training["seconds"],
        "cost/seconds_per_epoch": seconds_per_epoch(training),
        **{f"cost/{where}_mb": peak for where, peak in result["peak_memory_mb"].items()},
        **{f"slices/{name}/{key}": value for name, row in result["slices"].items() for key, value in row.items()},
        **{f"beyond/{name}": value for name, value in (result.get("beyond_accuracy") or {}).items()},
    }
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update({key: value for key, value in numbers.items() if value is not None})


def finish_record() -> None:
    """Close the W&B record of a command; the next one of this process would go into the same record otherwise."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].finish()
