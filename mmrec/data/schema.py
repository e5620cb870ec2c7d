"""The contract between raw data, preparation and everything that reads a prepared dataset.

A `Source` reads raw files into `RawData`. `prepare` turns that into a folder:

| file | content |
|---|---|
| `interactions.parquet` | user int32, item int32, timestamp int64 (s), split int8; by user, chronological |
| `sequences/` | the same as arrays: `item.npy`, `timestamp.npy`, `split.npy` (n,), `offsets.npy` (U + 1,) |
| `items.parquet` | item int32 (row = index, row 0 is padding), raw_id, title, text, image, image_url, attributes |
| `users.parquet` | user int32 (row = index), raw_id |
| `features/<encoder>/` | `text.npy`, `image.npy` (float16, row = item) and their presence masks |
| `*.png` | histograms of sequence length and popularity |
| `manifest.json` | options, counts, statistics, hashes; every result carries `data_hash` |

Times finer than a second decide the order of interactions and are then dropped: the column `timestamp` holds whole
seconds. Where the raw data has an order and no times, `timestamp` holds the position within the user's history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

import polars as pl

SEQUENCES = "sequences"
"""Folder of the arrays that a run maps into memory."""


class Split(IntEnum):
    """Which part of the protocol an interaction belongs to."""

    TRAIN = 0
    VALID = 1
    TEST = 2


INTERACTION_COLUMNS = {
    "user": pl.Categorical,
    "item": pl.Categorical,
    "timestamp": pl.Int64,
    "rating": pl.Float32,
    "weight": pl.Float32,
    "fraction": pl.Int32,
}
"""Columns of `RawData.interactions`, in file order; ids may also be String. `timestamp` is in whole seconds, or a
position where `RawData.timed` is false. The last three may be left out: rating (how much the user liked the item) and
weight (how much of it: pieces, plays, minutes) are null where unknown; `fraction` is the time after `timestamp` in
nanoseconds, and only decides the order."""

ITEM_COLUMNS = {
    "item": pl.String,
    "title": pl.String,
    "text": pl.String,
    "image": pl.String,
    "image_url": pl.String,
    "attributes": pl.String,
}
"""Columns of `RawData.items`: `text` is what a text encoder may read, `image` an absolute path, `image_url` the address
of the image, `attributes` a JSON object of facts (name to value or list of values); null where unknown."""


@dataclass(frozen=True)
class Rejected:
    """Number of bad rows of one kind, with an example.

    Args:
        count: number of rows.
        first: `file:line` of the first one.
        value: its offending value, where it has one that tells more than the place.
    """

    count: int
    first: str
    value: str | None = None

    @property
    def example(self) -> str:
        """The place of the first bad row, and its value."""
        return self.first if self.value is None else f"{self.first}: {self.value!r}"


@dataclass(frozen=True)
class Note:
    """Number of rows or items that were read in a way a user may not expect, with an example."""

    count: int
    example: str


def merge_rejected(*parts: dict[str, Rejected]) -> dict[str, Rejected]:
    """Add up the rejected rows of several files; the example is that of the first file."""
    merged: dict[str, Rejected] = {}
    for part in parts:
        for kind, entry in part.items():
            before = merged.get(kind)
            merged[kind] = entry if before is None else Rejected(before.count + entry.count, before.first, before.value)
    return merged


def merge_notes(*parts: dict[str, Note]) -> dict[str, Note]:
    """Add up the notes of several files; the example is that of the first file."""
    merged: dict[str, Note] = {}
    for part in parts:
        for kind, note in part.items():
            before = merged.get(kind)
            merged[kind] = note if before is None else Note(before.count + note.count, before.example)
    return merged


@dataclass
class RawData:
    """What a source has read.

    Args:
        interactions: one row each, in file order, columns `INTERACTION_COLUMNS`.
        items: one row per item, columns `ITEM_COLUMNS`; items may lack interactions and the other way round.
        rows_read: rows of interactions, good or bad.
        rejected: rows of interactions left out, by kind (for example "broken JSON").
        item_rows_read: item records, good or bad.
        rejected_items: item records left out, by kind.
        repeated_items: item records after the first of their id; they are left out and are not bad.
        notes: rows that were changed while they were read, and items that lack something, by kind.
        timed: whether `timestamp` is a time; if false it is a position in the user's history.
    """

    interactions: pl.LazyFrame
    items: pl.DataFrame
    rows_read: int
    rejected: dict[str, Rejected] = field(default_factory=dict)
    item_rows_read: int = 0
    rejected_items: dict[str, Rejected] = field(default_factory=dict)
    repeated_items: int = 0
    notes: dict[str, Note] = field(default_factory=dict)
    timed: bool = True


@runtime_checkable
class Source(Protocol):
    """Reader of raw files with plain constructor arguments; its name becomes part of folder names."""

    name: str

    def files(self) -> list[Path]:
        """Return every input file whose content decides the result, images excepted.

        Raises:
            UserError: one is missing.
        """

    def image_folder(self) -> Path | None:
        """Return the folder of the images, whose listing also decides the result; None if there is none.

        The folder need not exist yet.
        """

    def options(self) -> dict[str, object]:
        """Return the constructor's arguments that change the result, for the manifest."""

    def read(self) -> RawData:
        """Read the files. Bad rows are left out and counted in `RawData.rejected`."""
