"""Progress bars of downloads."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def bars(counting: bool) -> Progress:
    """Return progress bars on stderr, silent unless that is a terminal.

    Args:
        counting: whether files are counted instead of bytes.
    """
    amount: tuple[ProgressColumn, ...] = (
        (MofNCompleteColumn(),) if counting else (DownloadColumn(), TransferSpeedColumn())
    )
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
