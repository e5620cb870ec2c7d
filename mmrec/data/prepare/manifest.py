"""The manifest of a prepared dataset: its inputs, what was dropped, and how far its split can be trusted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmrec.errors import UserError
from mmrec.utils.json_files import Shape, mismatch, read_json, unknown_key

FILE = "manifest.json"
FORMAT_VERSION = 4
"""Increased when the folder's layout or the meaning of a column changes: folders of another version are not read."""
REMEDY = "remove the folder and prepare again"
SHAPE: Shape = {
    **dict.fromkeys(("dataset", "data_hash", "version"), str),
    **dict.fromkeys(("n_users", "n_items", "n_interactions", "rows_read", "item_rows_read", "repeated_items"), int),
    **{key: {str: Any} for key in ("source", "options", "statistics")},
    **{key: {str: int} for key in ("splits", "dropped", "missing")},
    "rejected": {str: {"count": int, "first": str, "value": (str, None)}},
    "notes": {str: {"count": int, "example": str}},
    "inputs": [{"path": str, "bytes": int, "sha256": str}],
    "files": ({str: str}, None),
    "timed": bool,
    "format_version": int,
}
"""Types of the content of the file, see `mmrec.utils.json_files`."""


@dataclass(frozen=True)
class Manifest:
    """All of `manifest.json`.

    Args:
        dataset: name of the source.
        source: class and options of the source.
        options: options of the preparation.
        n_users: U.
        n_items: I, padding included.
        n_interactions: rows of `interactions.parquet`.
        splits: interactions by split.
        rows_read: rows of interactions in the raw files.
        item_rows_read: item records in the raw files.
        rejected: bad rows by kind, with count, first place and, where it helps, value.
        repeated_items: item records after the first of their id.
        dropped: interactions left out by each filter.
        missing: items without text, without image.
        statistics: see `mmrec.data.prepare.statistics.describe`.
        inputs: path, bytes and sha256 of every input file.
        data_hash: sha256 of the ordered interactions with their split; every result carries it.
        version: version of mmrec.
        files: sha256 of the tables of items and users.
        notes: count and example, by kind, of rows that were changed and of items that lack something.
        timed: whether `timestamp` is a time; if false it is a position in the user's history.
        format_version: version of the folder's layout.
    """

    dataset: str
    source: dict[str, Any]
    options: dict[str, Any]
    n_users: int
    n_items: int
    n_interactions: int
    splits: dict[str, int]
    rows_read: int
    item_rows_read: int
    rejected: dict[str, dict[str, Any]]
    repeated_items: int
    dropped: dict[str, int]
    missing: dict[str, int]
    statistics: dict[str, Any]
    inputs: list[dict[str, Any]]
    data_hash: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    timed: bool = True
    format_version: int = field(default=FORMAT_VERSION)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a dataset folder.

        Raises:
            UserError: it is missing, damaged, or of another format version.
        """
        path = folder / FILE
        if not path.is_file():
            raise UserError(f"{folder} is not a prepared dataset: it has no {FILE}")
        content = read_json(path, {}, REMEDY)
        found = content.get("format_version")
        if found != FORMAT_VERSION:
            raise UserError(f"{path} has format version {found}, not {FORMAT_VERSION}: {REMEDY}")
        problem = mismatch(content, SHAPE) or unknown_key(content, SHAPE)
        if problem is not None:
            raise UserError(f"{path} is damaged ({problem}): {REMEDY}")
        return cls(**content)

    def save(self, folder: Path) -> None:
        """Write `manifest.json`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
