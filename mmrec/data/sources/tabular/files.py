"""Files of tables, found by path, folder or pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmrec.data.sources.readers.paths import find_raw
from mmrec.data.sources.tabular.tables import ENDINGS, is_table
from mmrec.errors import UserError

WORDS = f"{', '.join(ENDINGS)} (all but .parquet also with .gz)"
WILDCARD = re.compile(r"[*?\[]")


def find_tables(paths: str | Sequence[str], option: str) -> list[Path]:
    """Return the files that a path, a folder, a pattern or a list of these names, sorted.

    A folder means all tables in it except those whose names begin with "." or "_". The part of a pattern before
    its first wildcard is looked for like any path, see `find_raw`.

    Raises:
        UserError: one of them names no file, or a file that is not a table.
    """
    found: set[Path] = set()
    for path in [paths] if isinstance(paths, str) else paths:
        matches = _expand(path, option)
        strange = next((file for file in sorted(matches) if not is_table(file)), None)
        if strange is not None:
            raise UserError(f"{strange}: {option} must name files that end in {WORDS}")
        found.update(matches)
    if not found:
        raise UserError(f"{option} is an empty list: name the files")
    return sorted(found)


def _expand(path: str, option: str) -> list[Path]:
    try:
        place = find_raw(path)
    except UserError:
        if not WILDCARD.search(path):
            raise
        return _match(path, option)  # an existing file with brackets in its name is not a pattern
    if place.is_file():
        return [place]
    tables = [file for file in place.iterdir() if file.is_file() and is_table(file) and file.name[0] not in "._"]
    if not tables:
        raise UserError(f"{option}: no file in {place} ends in {WORDS}")
    return tables


def _match(pattern: str, option: str) -> list[Path]:
    parts = Path(pattern).parts
    fixed = next(place for place, part in enumerate(parts) if WILDCARD.search(part))
    folder = find_raw(Path(*parts[:fixed]))
    matches = [file for file in folder.glob(str(Path(*parts[fixed:]))) if file.is_file()]
    if not matches:
        raise UserError(f"{option}: no file matches {pattern} in {folder}")
    return matches
