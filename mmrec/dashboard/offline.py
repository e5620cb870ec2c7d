"""W&B's own record of runs, in the `wandb` folders below those of the runs."""

from __future__ import annotations

from pathlib import Path

from mmrec.results.load import find_results, plain_name


def offline_folders(runs: Path) -> list[Path]:
    """Return the folders of runs that were recorded offline and have not been sent, oldest first.

    Runs kept aside (seed1.1) have the id of the run that replaced them, and stay here.
    """
    found = []
    for folder in runs.glob("**/wandb/offline-run-*"):
        sent = any(folder.glob("*.wandb.synced"))  # W&B's mark
        if not sent and "." not in folder.parent.parent.name:
            found.append(folder)
    return sorted(found, key=lambda folder: (folder.name, folder))


def run_id_of(run: Path) -> str | None:
    """Return the W&B id of a run, given its folder; None if it was not recorded for W&B."""
    folders = sorted((run / "wandb").glob("*run-*-*"))
    return folders[-1].name.rpartition("-")[2] if folders else None


def baseline_id(folders: list[Path], dataset: str, model: str) -> str | None:
    """Return the W&B id of a model's first run on a dataset, None if there is none below the folders."""
    for folder in folders:
        if not any(folder.glob("**/result.json")):
            continue
        for run, result in find_results(folder):
            is_it = (result["dataset"], plain_name(result["model"])) == (dataset, model)
            if is_it and (found := run_id_of(run)) is not None:
                return found
    return None
