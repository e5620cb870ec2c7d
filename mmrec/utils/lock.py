"""Locks of folders that are being made: one process works at a time, the others report it and wait."""

from __future__ import annotations

import glob
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mmrec.errors import UserError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that is being made; while another process holds it, report it and wait.

    The lock is the file `.<folder>.lock` in the parent folder. The system releases it when its process ends or is
    killed.

    Args:
        folder: the folder that is made under the lock; it need not exist.

    Raises:
        UserError: the lock cannot be created, for example on a read-only disk.
    """
    path = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another process is at work on {folder}: waiting until it is done", file=sys.stderr, flush=True)
        lock.acquire()
    except (OSError, NotImplementedError) as error:  # the latter on file systems without locks
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{folder}: cannot be made, because {path.name} cannot be locked ({reason})") from None
    try:
        yield
    finally:
        lock.release()


def partial_folder(folder: Path) -> Path:
    """Return the folder in which another one is made under its lock, before it is renamed."""
    return folder.with_name(f".{folder.name}.partial")


def remove_abandoned(parent: Path, prefix: str = "") -> None:
    """Remove partial folders whose makers were killed: those whose lock is free.

    Args:
        parent: the folder that contains the partial folders.
        prefix: beginning of the names of the folders that were made; all by default.
    """
    for partial in parent.glob(f".{glob.escape(prefix)}*.partial"):
        name = partial.name.removeprefix(".").removesuffix(".partial")
        with suppress(Timeout, OSError, NotImplementedError), FileLock(parent / f".{name}.lock", timeout=0):
            shutil.rmtree(partial)
