"""Raw files: where they are found, and how they are opened."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import IO

import mmrec
from mmrec.errors import UserError

GZIP = b"\x1f\x8b"
UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading a file, plain or gzip, may raise."""
FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack the archive, or save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as CSV in UTF-8",
    b"PAR1": "Parquet: let its name end in .parquet",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"BZh": "compressed by bzip2: unpack it, or compress it with gzip",
    b"\xfd7zXZ": "compressed by xz: unpack it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it, or compress it with gzip",
}
"""First bytes of other formats, and advice for each."""


def open_raw(file: Path) -> IO[bytes]:
    """Open a raw text file for reading; gzip is recognised by its content.

    Raises:
        UserError: the file is named .gz and is not gzip, or is in a format that is not text.
    """
    with file.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(GZIP):
        return gzip.open(file)  # type: ignore[return-value]  # a GzipFile is a binary stream
    found = next((advice for mark, advice in FOREIGN.items() if start.startswith(mark)), None)
    if found is not None:
        raise UserError(f"{file}: is named {file.suffix}, but its content is {found}")
    if file.suffix.lower() == ".gz":
        raise UserError(f"{file}: is named .gz, but its content is not gzip: rename it if it is plain text, else "
                        "download it again")  # fmt: skip
    return file.open("rb")


def is_gzip(file: Path) -> bool:
    """Return whether a file begins as gzip does."""
    with file.open("rb") as stream:
        return stream.read(2) == GZIP


def find_raw(path: str | Path) -> Path:
    """Return a raw file or folder: as given, in $MMREC_DATA, in data/raw here and of the project, or in shared/data.

    Raises:
        UserError: it is not in any of these places.
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
        f"{path} not found; looked for {', '.join(map(str, tried))}: set MMREC_DATA to the folder that holds it, or "
        "write its whole path in the config"
    )
