"""Comparison of files with the hashes that a manifest records, at the cost of one `stat` per file in most runs.

A hash is computed if a file is not yet noted in its folder's `.checked.json`, or if its size or time of modification
differs from the note. So a changed, replaced or truncated file is refused. Bytes that change while size and time of
modification stay, as on a failing disk, are only noticed after the file is copied. In a read-only folder nothing is
noted, and every process computes the hashes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mmrec.errors import UserError
from mmrec.utils.files import write_whole

NOTES = ".checked.json"
SETTLED = 2.0
"""Seconds after a change until its time of modification is noted: a second change within less may get the same time."""


def check_content(
    folder: Path, name: str, recorded: str, files: Sequence[str], compute: Callable[[], str], remedy: str
) -> None:
    """Compare the hash of some files with the recorded one, unless they are known to be unchanged since the last time.

    Args:
        folder: where the files are, and the notes of earlier comparisons.
        name: name of the content, for the notes and the message.
        recorded: the hash that the content must have.
        files: paths of the files within the folder.
        compute: returns the hash of the present content.
        remedy: what the user can do about changed files, for the message.

    Raises:
        UserError: a file is missing, or the hash is another one.
    """
    try:
        states = [(folder / file).stat() for file in files]
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; {remedy}") from None
    current = [recorded, *([state.st_size, state.st_mtime_ns] for state in states)]
    notes = _read_notes(folder)
    if notes.get(name) == current:
        return
    if (found := compute()) != recorded:
        raise UserError(
            f"{folder / name}: the content has changed since it was written (sha256 {found[:12]}…, recorded "
            f"{str(recorded)[:12]}…); {remedy}"
        )
    if time.time() - max(state.st_mtime for state in states) > SETTLED:
        with suppress(UserError):  # a read-only folder
            write_whole(folder / NOTES, json.dumps({**notes, name: current}) + "\n")


def _read_notes(folder: Path) -> dict[str, object]:
    try:
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or damaged: the hashes are computed again
        return {}
    return notes if isinstance(notes, dict) else {}
