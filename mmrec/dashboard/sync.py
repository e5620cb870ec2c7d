"""Sending runs that were recorded offline: `mmrec sync`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmrec.dashboard.offline import offline_folders
from mmrec.errors import UserError
from mmrec.training.tracking import has_account

AT_ONCE = 100
"""Folders of one call of `wandb sync`: their names must fit into a command line."""


def sync_runs(folders: Sequence[Path], call: Callable[[list[str]], int] = subprocess.call) -> None:
    """Send what was recorded offline below some folders, with `wandb sync`; what was sent before is not sent again.

    Args:
        folders: of runs, at any depth.
        call: runs a command and returns its exit status.

    Raises:
        UserError: a folder does not exist, there is no account, or W&B refuses.
    """
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise UserError(f"{missing[0]}: no such folder; name those of runs")
    found = [run for folder in folders for run in offline_folders(folder)]
    if not found:
        print("nothing to send: no run here was recorded offline, or all of them have been sent")
        return
    if not has_account():
        raise UserError(
            f"{len(found)} offline runs wait, but this machine has no W&B account: run `wandb login` or set "
            "WANDB_API_KEY, then the same command again"
        )
    for start in range(0, len(found), AT_ONCE):
        part = [str(run) for run in found[start : start + AT_ONCE]]
        if call([sys.executable, "-m", "wandb", "sync", *part]) != 0:
            raise UserError("`wandb sync` failed, see above; the same command sends what is left")
