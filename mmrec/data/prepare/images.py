"""The image files of a source: their list, their content, and which can be decoded.

What is found out about a file is kept in a Parquet file by the file's path, size and time of change, so that no file is
read twice for the same question.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import polars as pl
from PIL import Image

from mmrec.errors import UserError
from mmrec.utils.files import hash_file, write_whole

log = logging.getLogger(__name__)

WORKERS = min(8, os.cpu_count() or 1)
PART = 256  # files handed to the threads at once; an interruption waits for them
SAVE_EVERY = 5.0  # seconds of work that a kill may lose
KEY = ("path", "bytes", "modified")
ANSWERS = {"readable": pl.Boolean, "sha256": pl.String}
SCHEMA = {"path": pl.String, "bytes": pl.Int64, "modified": pl.Int64, **ANSWERS}

Progress = Callable[[int, int], None]


def list_images(folder: Path, without: Path) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """Return the image files in a folder and its sub-folders, and the sub-folders that are not entered.

    Links to folders are followed. No folder is entered twice, and none that contains `folder`. Folders whose names
    begin with "." are left out.

    Args:
        folder: an existing folder.
        without: a sub-folder to leave out.

    Returns:
        the sorted files; then pairs of a sub-folder that is not entered and the folder it leads to.

    Raises:
        OSError: a folder cannot be read, which must not pass for a folder without images.
    """
    endings = Image.registered_extensions().keys()
    files, skipped = [], []
    top, left_out = folder.resolve(), without.resolve()
    seen = {top}
    for place, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        inner = []
        for name in sorted(name for name in folders if name[0] != "."):
            path = Path(place, name)
            target = path.resolve()
            if target == left_out:
                continue
            if target in seen or top.is_relative_to(target):
                skipped.append((path, target))
            else:
                seen.add(target)
                inner.append(name)
        folders[:] = inner
        found = (Path(place, name) for name in names if Path(name).suffix.lower() in endings)
        files += [file for file in found if file.exists()]  # a link to nowhere is not an image
    return sorted(files), skipped


def hash_images(paths: Sequence[str], memory: Path, progress: Progress | None = None) -> list[str | None]:
    """Return the sha256 of each file, None for one that cannot be read now.

    Args:
        paths: image files.
        memory: Parquet file of earlier results, to which new ones are written.
        progress: called with the number of files read and the number of files to read.
    """
    return _answers("sha256", paths, memory, _hash, write=True, progress=progress)


def readable(path: str) -> bool | None:
    """Return whether a file decodes as an image within Pillow's limit of pixels; None if it cannot be opened now."""
    try:
        with Image.open(path) as image:
            if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                return False
            image.draft("L", (1, 1))  # JPEG only: decodes at an eighth of the size
            image.load()  # not verify(), which does not see that a JPEG is cut off
    except MemoryError:
        return None
    except Exception as error:  # decoders raise nearly anything on a malformed file
        # An errno means the system refused: a permission, a link to nowhere, too many open files.
        return None if isinstance(error, OSError) and error.errno is not None else False
    return True


def check_images(
    paths: Sequence[str], memory: Path, write: bool = True, progress: Progress | None = None
) -> list[bool]:
    """Return whether each file is readable; one that could not be opened is not, and is tried again next time.

    Args:
        paths: image files.
        memory: Parquet file of earlier results.
        write: whether new results are written to `memory`.
        progress: called with the number of files checked and the number of files to check.
    """
    return [answer is True for answer in _answers("readable", paths, memory, readable, write, progress)]


def _hash(path: str) -> str | None:
    try:
        return hash_file(Path(path))
    except OSError:
        return None


def _answers(
    question: Literal["readable", "sha256"],
    paths: Sequence[str],
    memory: Path,
    answer: Callable[[str], Any],
    write: bool,
    progress: Progress | None,
) -> list[Any]:
    """Return the answer for each file, None where there is none now; those that are not in `memory` are found out.

    New answers are written to `memory` every few seconds.
    """
    known = _remembered(memory)
    files = pl.DataFrame([_key(path) for path in paths], schema={name: SCHEMA[name] for name in KEY}, orient="row")
    unknown = files.join(known.drop_nulls(question), on=KEY, how="anti").unique(maintain_order=True)
    found: list[Any] = []

    def remembered() -> pl.DataFrame:
        fresh = unknown.head(len(found)).with_columns(pl.Series(question, found, dtype=ANSWERS[question]))
        table = known.join(fresh.drop_nulls(question), on=KEY, how="full", coalesce=True, suffix=" found")
        answered = pl.coalesce(question, f"{question} found").alias(question)
        return table.with_columns(answered).select(*SCHEMA)

    saved = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        for part in unknown.iter_slices(PART):
            found += pool.map(answer, part["path"])
            if progress is not None:
                progress(len(found), len(unknown))
            if write and time.monotonic() - saved > SAVE_EVERY:
                _save(remembered(), memory)
                saved = time.monotonic()
    table = remembered()
    if write and found:
        _save(table, memory)
    return files.join(table, on=KEY, how="left", maintain_order="left")[question].to_list()


def _remembered(memory: Path) -> pl.DataFrame:
    """Return the earlier results; none where the file is damaged, for it only saves time."""
    try:
        known = pl.read_parquet(memory, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        known = pl.DataFrame(schema=SCHEMA)
    if "sha256" not in known.columns:  # of an earlier version
        known = known.with_columns(sha256=pl.lit(None, pl.String))
    return known if known.schema == SCHEMA else pl.DataFrame(schema=SCHEMA)


def _key(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return path, -1, -1  # vanished since it was listed: not readable
    return path, status.st_size, status.st_mtime_ns


def _raise(error: OSError) -> None:
    raise error


def _save(table: pl.DataFrame, file: Path) -> None:
    try:
        write_whole(file, table.write_parquet)
    except (UserError, OSError, pl.exceptions.PolarsError):  # a full or read-only disk: the file only saves time
        log.warning("%s cannot be written: every command reads all images again", file)
