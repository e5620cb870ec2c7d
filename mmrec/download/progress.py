"""Progress bars and the lock: what keeps people and other processes informed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
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
        counting: count files instead of bytes.
    """
    amount: tuple[ProgressColumn, ...] = (
        (MofNCompleteColumn(),) if counting else (DownloadColumn(), TransferSpeedColumn())
    )
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; while another process has it, say so and wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another process downloads here and holds {path}: waiting", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
