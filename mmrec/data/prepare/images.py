"""The check of which image files can be decoded; its results are kept, so that no file is opened twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import polars as pl
from PIL import Image

from mmrec.errors import UserError
from mmrec.utils.files import write_whole

WORKERS = min(8, os.cpu_count() or 1)
PART = 256  # files handed to the threads at once; an interruption waits for them
SAVE_EVERY = 5.0  # seconds of work that a kill may lose
KEY = ("path", "bytes", "modified")
SCHEMA = {"path": pl.String, "bytes": pl.Int64, "modified": pl.Int64, "readable": pl.Boolean}


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
    paths: Sequence[str], memory: Path, write: bool = True, progress: Callable[[int, int], None] | None = None
) -> list[bool]:
    """Return whether each file is readable; one that could not be opened is not, and is tried again next time.

    Args:
        paths: image files.
        memory: Parquet file of earlier results, by path, size and time of change.
        write: whether new results are written to `memory`, every few seconds.
        progress: called with the number of files checked and the number of files to check.
    """
    known = _remembered(memory)
    files = pl.DataFrame([_key(path) for path in paths], schema={name: SCHEMA[name] for name in KEY}, orient="row")
    unknown = files.join(known, on=KEY, how="anti").unique(maintain_order=True)
    found: list[bool | None] = []

    def remembered() -> pl.DataFrame:
        fresh = unknown.head(len(found)).with_columns(readable=pl.Series(found, dtype=pl.Boolean))
        return pl.concat([known, fresh.drop_nulls("readable")])

    saved = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        for part in unknown.iter_slices(PART):
            found += pool.map(readable, part["path"])
            if progress is not None:
                progress(len(found), len(unknown))
            if write and time.monotonic() - saved > SAVE_EVERY:
                _save(remembered(), memory)
                saved = time.monotonic()
    table = remembered()
    if write and found:
        _save(table, memory)
    return files.join(table, on=KEY, how="left", maintain_order="left")["readable"].fill_null(False).to_list()


def _remembered(memory: Path) -> pl.DataFrame:
    """Return the earlier results; none where the file is damaged, for it only saves time."""
    try:
        known = pl.read_parquet(memory, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        known = pl.DataFrame(schema=SCHEMA)
    return known if known.schema == SCHEMA else pl.DataFrame(schema=SCHEMA)


def _key(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return path, -1, -1  # vanished since it was listed: not readable
    return path, status.st_size, status.st_mtime_ns


def _save(table: pl.DataFrame, file: Path) -> None:
    with suppress(UserError, OSError, pl.exceptions.PolarsError):  # a full disk: the file only saves time
        write_whole(file, table.write_parquet)
