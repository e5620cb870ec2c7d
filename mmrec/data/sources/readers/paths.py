"""Where raw data is looked for."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import IO

import mmrec
from mmrec.errors import UserError

GZIP = b"\x1f\x8b"


def open_raw(file: Path) -> IO[bytes]:
    """Open a raw file for reading; gzip is told by its content, whatever the file is named."""
    return gzip.open(file) if is_gzip(file) else file.open("rb")  # type: ignore[return-value]  # a GzipFile is one


def is_gzip(file: Path) -> bool:
    """Whether a file begins as gzip does, or is named so: then what it holds is damaged if it does not."""
    with file.open("rb") as stream:
        return stream.read(2) == GZIP or file.suffix.lower() == ".gz"


def find_raw(path: str | Path) -> Path:
    """Find a raw file or folder: as given, in $MMREC_DATA, in data/raw here and of the project, or in shared/data.

    Raises:
        UserError: it is in none of these places.
    """
    project = Path(mmrec.__file__).parents[1]
    roots = [Path(), Path("data", "raw"), project / "data" / "raw", project.parent / "shared" / "data"]
    if os.environ.get("MMREC_DATA"):
        roots.insert(1, Path(os.environ["MMREC_DATA"]))
    tried = list(dict.fromkeys((root / path).absolute() for root in roots))
    for place in tried:
        if place.exists():
            return place
    raise UserError(
        f"{path} not found, neither at {', nor at '.join(map(str, tried))}: set MMREC_DATA to the folder that holds "
        "it, or pass its path in the config (for a data set below data.source.init_args)"
    )
