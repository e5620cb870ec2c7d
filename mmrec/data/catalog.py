"""A prepared dataset, mapped into memory, and the train-only view that all learning is restricted to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.schema import SEQUENCES, Split
from mmrec.errors import UserError
from mmrec.utils.arrays import read_array
from mmrec.utils.checksums import check_content
from mmrec.utils.files import hash_file
from mmrec.utils.tables import read_table


@dataclass(frozen=True)
class TrainView:
    """The training interactions alone, from which graph, index, popularity and negatives are built.

    Args:
        n_users: U.
        n_items: I, padding included.
        offsets: (U + 1,) int64, where each user's items start.
        items: (n,) int32, item indices grouped by user, oldest first.
        timestamp: (n,) int64, time of each interaction in seconds.
    """

    n_users: int
    n_items: int
    offsets: Tensor
    items: Tensor
    timestamp: Tensor

    @cached_property
    def users(self) -> Tensor:
        """(n,) int64, user of each interaction."""
        return torch.repeat_interleave(torch.arange(self.n_users), self.offsets.diff())

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Return users and items (n,), (n,) int64, each distinct pair once, in order."""
        keys = torch.unique(self.users * self.n_items + self.items)
        return keys // self.n_items, keys % self.n_items

    @cached_property
    def popularity(self) -> Tensor:
        """(I,) int64, number of training interactions of each item."""
        return torch.bincount(self.items, minlength=self.n_items)


class Catalog:
    """A dataset folder written by `prepare`; the arrays are mapped into memory, not read.

    The content of its files is compared with the hashes in the manifest, see `mmrec.utils.checksums`.

    Args:
        folder: the dataset folder.

    Attributes:
        n_users: U.
        n_items: I, padding included.
        items: (n,) int32, item of each interaction, grouped by user, oldest first.
        timestamp: (n,) int64, time of each interaction in seconds.
        split: (n,) int8, `Split` of each interaction.
        offsets: (U + 1,) int64, where each user's interactions start.
        added: numbers of items of each addition after the preparation, see `with_items`; they are the last items.

    Raises:
        UserError: the folder was not made by `prepare`, or a file of it is damaged or was changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.added: tuple[int, ...] = ()
        self.manifest = Manifest.load(self.folder)
        self.n_users = self.manifest.n_users
        self.n_items = self.manifest.n_items
        length = self.manifest.n_interactions
        self.items = self._map("item", np.int32, length)
        self.timestamp = self._map("timestamp", np.int64, length)
        self.split = self._map("split", np.int8, length)
        self.offsets = self._map("offsets", np.int64, self.n_users + 1)
        check_content(
            self.folder,
            SEQUENCES,
            self.manifest.data_hash,
            [f"{SEQUENCES}/{name}.npy" for name in ("item", "timestamp", "split", "offsets")],
            self._hash,
            self._remedy,
        )
        for name, recorded in self.manifest.files.items():
            check_content(self.folder, name, recorded, [name], partial(hash_file, self.folder / name), self._remedy)

    @property
    def _remedy(self) -> str:
        return f"remove {self.folder} and prepare again"

    def _map(self, name: str, dtype: DTypeLike, length: int) -> Tensor:
        file = self.folder / SEQUENCES / f"{name}.npy"
        # Copy on write, because PyTorch warns of arrays that cannot be written to.
        return torch.from_numpy(read_array(file, dtype, (length,), self._remedy, copy_on_write=True))

    def _hash(self) -> str:
        """Return the hash of the interactions as `prepare` computes it."""
        lengths = self.offsets.diff()
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.items) or (lengths < 0).any():
            return "none"
        user = torch.repeat_interleave(torch.arange(self.n_users, dtype=torch.int32), lengths)
        digest = hashlib.sha256()
        for column in (user, self.items, self.timestamp, self.split):
            digest.update(column.numpy().data)
        return digest.hexdigest()

    @cached_property
    def train(self) -> TrainView:
        """The train-only view. A user's training interactions come before all held-out ones."""
        keep = self.split == int(Split.TRAIN)
        before = torch.zeros(len(keep) + 1, dtype=torch.int64)
        torch.cumsum(keep, 0, out=before[1:])
        return TrainView(self.n_users, self.n_items, before[self.offsets], self.items[keep], self.timestamp[keep])

    def with_items(self, table: pl.DataFrame, added: Sequence[int]) -> Catalog:
        """Return a catalogue with more items at its end, which have no interactions.

        Args:
            table: n rows with the columns raw_id, title, text, image and attributes.
            added: numbers of items of each addition, together n.
        """
        grown = copy(self)
        for name in ("train", "item_table"):  # those that depend on the items
            grown.__dict__.pop(name, None)
        grown.n_items = self.n_items + table.height
        grown.manifest = replace(self.manifest, n_items=grown.n_items)
        grown.added = (*self.added, *added)
        numbered = table.with_columns(item=pl.int_range(self.n_items, grown.n_items, dtype=pl.Int32))
        grown.item_table = pl.concat([self.item_table, numbered], how="diagonal")
        return grown

    @cached_property
    def newest(self) -> int:
        """Time of the newest interaction, in seconds."""
        return int(self.timestamp.max())

    def user_of(self, rows: Tensor) -> Tensor:
        """Return the user (n,) int64 of each interaction, given its row (n,)."""
        return torch.searchsorted(self.offsets, rows, right=True) - 1

    def instances(self, split: Split) -> Tensor:
        """Return the rows (n,) of a split's held-out interactions that have a history to predict from."""
        rows = torch.nonzero(self.split == int(split)).squeeze(1)
        return rows[rows > self.offsets[self.user_of(rows)]]

    @cached_property
    def item_table(self) -> pl.DataFrame:
        """The rows of `items.parquet`; row = item index."""
        return read_items(self.folder, self.n_items)

    @cached_property
    def user_ids(self) -> list[str]:
        """Raw user ids by user index."""
        table = read_table(self.folder / "users.parquet", ["raw_id"], self.n_users, self._remedy)
        return table["raw_id"].to_list()


def read_items(folder: Path, n_items: int | None = None) -> pl.DataFrame:
    """Read the items of a dataset folder; row = item index.

    Args:
        folder: the dataset folder.
        n_items: I, if it is known.

    Raises:
        UserError: `items.parquet` is missing or damaged.
    """
    file, remedy = folder / "items.parquet", f"remove {folder} and prepare again"
    table = read_table(file, ["item", "raw_id", "title", "text", "image", "attributes"], n_items, remedy)
    if table["item"].to_list() != list(range(table.height)):
        raise UserError(f"{file}: its rows are not in the order of the items; {remedy}")
    return table
