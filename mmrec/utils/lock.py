"""One process at a time; the others are told what they wait for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that is being made; while another process has it, say so and wait.

    The lock is the file `.<folder>.lock` beside it. It is free again when its process ends, however that comes about.

    Args:
        folder: what is made under the lock; it need not exist.
    """
    path = folder.with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another process is at work on {folder}: waiting until it is done", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
