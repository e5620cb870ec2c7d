"""Files that appear whole: written beside, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, content: str | Callable[[Path], object]) -> None:
    """Write a file so that a reader never sees half of it, and an interruption leaves what was there before.

    Args:
        path: the file; its folder is made.
        content: the text, or what writes the file it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if isinstance(content, str):
            beside.write_text(content, encoding="utf-8")
        else:
            content(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
