"""The manifest of a prepared dataset: what it was made from, what was dropped, and how far its split can be trusted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmrec.errors import UserError

FILE = "manifest.json"
FORMAT_VERSION = 3
"""Raised when the folder's layout or the meaning of a column changes: folders of another version are not read."""


@dataclass(frozen=True)
class Manifest:
    """All of `manifest.json`.

    Args:
        dataset: name of the source.
        source: class and options of the source.
        options: how it was prepared.
        n_users: U.
        n_items: I, padding included.
        n_interactions: rows of `interactions.parquet`.
        splits: interactions by split.
        rows_read: rows of interactions in the raw files.
        item_rows_read: item records in them.
        rejected: bad rows by kind, count and first place.
        repeated_items: item records beyond the first of their id.
        dropped: interactions left out by each filter.
        missing: items without text, without image.
        statistics: see `mmrec.data.prepare.statistics.describe`.
        inputs: path, bytes and sha256 of every input file.
        data_hash: sha256 of the ordered interactions with their split; every result carries it.
        version: of mmrec.
        format_version: of the folder.
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
    format_version: int = field(default=FORMAT_VERSION)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a dataset folder.

        Raises:
            UserError: there is none, or it is of another format version.
        """
        path = folder / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{folder} is not a prepared dataset: it has no {FILE}") from None
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{error.lineno}: not valid JSON; remove the folder and prepare again") from None
        found = content.get("format_version") if isinstance(content, dict) else None
        if found != FORMAT_VERSION:
            raise UserError(
                f"{path} has format version {found}, not {FORMAT_VERSION}: remove the folder and prepare again"
            )
        try:
            return cls(**content)
        except TypeError as error:
            raise UserError(f"{path} is damaged ({error}): remove the folder and prepare again") from None

    def save(self, folder: Path) -> None:
        """Write `manifest.json`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
