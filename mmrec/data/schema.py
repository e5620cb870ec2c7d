"""The contract between raw data, preparation and everything that reads a prepared dataset.

A `Source` reads somebody's raw files into `RawData`. `prepare` turns that into a folder:

| file | content |
|---|---|
| `interactions.parquet` | user int32, item int32, timestamp int64 (s), split int8; by user, chronological |
| `sequences/` | the same, to be mapped: `item.npy`, `timestamp.npy`, `split.npy` (n,), `offsets.npy` (U + 1,) |
| `items.parquet` | item int32 (row = index, row 0 is padding), raw_id, title, text, image, image_url, attributes |
| `users.parquet` | user int32 (row = index), raw_id |
| `features/<encoder>/` | `text.npy`, `image.npy` (float16, row = item) and their presence masks |
| `*.png` | histograms of sequence length and popularity |
| `manifest.json` | options, counts, statistics, hashes; every result carries `data_hash` |
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
}
"""What `RawData.interactions` holds, in file order; ids may also be String. The timestamp is in seconds. Rating (how
much the user liked it) and weight (how much of it: pieces, plays, minutes) may be left out; null where unknown."""

ITEM_COLUMNS = {
    "item": pl.String,
    "title": pl.String,
    "text": pl.String,
    "image": pl.String,
    "image_url": pl.String,
    "attributes": pl.String,
}
"""What `RawData.items` holds: `text` is all that a text encoder may read, `image` an absolute path, `image_url` where
the image can be fetched from, `attributes` a JSON object of facts (name to value or list of values); null where
unknown."""


@dataclass(frozen=True)
class Rejected:
    """A kind of bad row: how many, and the first place it was seen."""

    count: int
    first: str
    """`file:line` of the first one."""


def merge_rejected(*parts: dict[str, Rejected]) -> dict[str, Rejected]:
    """Add up the rejected rows of several files; the first place is that of the first file."""
    merged: dict[str, Rejected] = {}
    for part in parts:
        for kind, entry in part.items():
            before = merged.get(kind)
            merged[kind] = entry if before is None else Rejected(before.count + entry.count, before.first)
    return merged


@dataclass
class RawData:
    """What a source has read.

    Args:
        interactions: one row each, in file order, columns `INTERACTION_COLUMNS`.
        items: one row an item, columns `ITEM_COLUMNS`; items may lack interactions and the other way round.
        rows_read: rows of interactions, good or bad.
        rejected: rows of interactions left out, by kind (say "broken JSON").
        item_rows_read: item records, good or bad.
        rejected_items: item records left out, by kind.
        repeated_items: item records beyond the first of their id; they are left out and are not bad.
    """

    interactions: pl.LazyFrame
    items: pl.DataFrame
    rows_read: int
    rejected: dict[str, Rejected] = field(default_factory=dict)
    item_rows_read: int = 0
    rejected_items: dict[str, Rejected] = field(default_factory=dict)
    repeated_items: int = 0


@runtime_checkable
class Source(Protocol):
    """Reads raw files. Takes plain constructor arguments; the data set's name makes folder names."""

    name: str

    def files(self) -> list[Path]:
        """Return every input file whose content decides the result, images aside.

        Raises:
            UserError: one is missing.
        """

    def image_folder(self) -> Path | None:
        """Return the folder of the images, there or not yet, whose listing also decides the result; None for none."""

    def options(self) -> dict[str, object]:
        """Return the constructor's arguments that change the result, for the manifest."""

    def read(self) -> RawData:
        """Read the files. Bad rows are counted in `RawData.rejected`, never taken and never silent."""
