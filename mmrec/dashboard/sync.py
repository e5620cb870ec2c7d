"""Sending of runs that were recorded offline: `mmrec sync`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmrec.dashboard.offline import offline_folders
from mmrec.errors import UserError
from mmrec.training.tracking import has_account

AT_ONCE = 100
"""Number of folders per call of `wandb sync`, so that their names fit into a command line."""


def sync_runs(folders: Sequence[Path], call: Callable[[list[str]], int] = subprocess.call) -> None:
    """Send the runs that were recorded offline below some folders, each once, with `wandb sync`.

    Args:
        folders: folders of runs, at any depth.
        call: function that runs a command and returns its exit status.

    Raises:
        UserError: a folder or the account is missing, or W&B refuses.
    """
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise UserError(f"{missing[0]}: no such folder; name folders of runs")
    found = [run for folder in folders for run in offline_folders(folder)]
    if not found:
        print("nothing was sent: these folders hold no offline runs, or all of them have been sent")
        return
    if not has_account():
        raise UserError(
            f"{len(found)} offline runs are waiting, but this machine has no W&B account: run `wandb login` or set "
            "WANDB_API_KEY, then repeat the command"
        )
    for start in range(0, len(found), AT_ONCE):
        part = [str(run) for run in found[start : start + AT_ONCE]]
        if call([sys.executable, "-m", "wandb", "sync", *part]) != 0:
            raise UserError("`wandb sync` failed, see above; repeat the command to send the remaining runs")
