"""Runs that W&B has recorded offline, in the `wandb` folders of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmrec.results.load import NoResults, find_runs


def offline_folders(runs: Path) -> list[Path]:
    """Return the folders of runs that were recorded offline and have not been sent, oldest first.

    Runs that were set aside (seed1.1) have the id of the run that replaced them, and are not sent.
    """
    found = []
    for folder in runs.glob("**/wandb/offline-run-*"):
        sent = any(folder.glob("*.wandb.synced"))  # W&B's mark
        if not sent and "." not in folder.parent.parent.name:
            found.append(folder)
    return sorted(found, key=lambda folder: (folder.name, folder))


def run_id_of(run: Path) -> str | None:
    """Return the W&B id of a run by its folder; None if it was not recorded for W&B."""
    folders = sorted((run / "wandb").glob("*run-*-*"))
    return folders[-1].name.rpartition("-")[2] if folders else None


def baseline_id(folders: Sequence[Path], dataset: str, model: str) -> str | None:
    """Return the W&B id of a model's first run on a dataset; None if the folders hold no such run."""
    for folder in folders:
        try:
            runs = find_runs(folder).runs
        except NoResults:
            continue
        for run in runs:
            is_baseline = (run.result["dataset"], run.name) == (dataset, model)
            if run.folder is not None and is_baseline and (found := run_id_of(run.folder)) is not None:
                return found
    return None
