"""`mmrec sync`: runs that were recorded offline, sent to W&B."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.dashboard.sync import sync_runs


def sync(args: Sequence[str]) -> None:
    """Send runs that were recorded offline to W&B."""
    parser = ArgumentParser(prog="mmrec sync", description=sync.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="folders of runs, at any depth")
    sync_runs(parser.parse_args(list(args)).runs)
