"""A prepared dataset, mapped into memory, and the train-only view that everything learned is built from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from mmrec.data.prepare.manifest import Manifest
from mmrec.data.schema import SEQUENCES, Split
from mmrec.errors import UserError


@dataclass(frozen=True)
class TrainView:
    """The training interactions alone: the graph, the index, popularity and negatives see nothing else.

    Args:
        n_users: U.
        n_items: I, padding included.
        offsets: (U + 1,) int64, where each user's items start.
        items: (n,) int32, item indices grouped by user, oldest first.
        timestamp: (n,) int64, seconds.
    """

    n_users: int
    n_items: int
    offsets: Tensor
    items: Tensor
    timestamp: Tensor

    @cached_property
    def users(self) -> Tensor:
        """(n,) int64, the user of each interaction."""
        return torch.repeat_interleave(torch.arange(self.n_users), self.offsets.diff())

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Return users and items (n,), (n,) int64, each pair once however often it was repeated, in order."""
        keys = torch.unique(self.users * self.n_items + self.items)
        return keys // self.n_items, keys % self.n_items

    @cached_property
    def popularity(self) -> Tensor:
        """(I,) int64, training interactions of each item."""
        return torch.bincount(self.items, minlength=self.n_items)


class Catalog:
    """A dataset folder written by `prepare`, opened; the arrays are mapped, not read.

    Args:
        folder: the dataset folder.

    Attributes:
        n_users: U.
        n_items: I, padding included.
        items: (n,) int32, item of each interaction, grouped by user, oldest first.
        timestamp: (n,) int64, when each interaction was, in seconds.
        split: (n,) int8, `Split` of each interaction.
        offsets: (U + 1,) int64, where each user's interactions start.

    Raises:
        UserError: the folder is none that `prepare` has made, or a file of it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest = Manifest.load(self.folder)
        self.n_users = self.manifest.n_users
        self.n_items = self.manifest.n_items
        self.items = self._map("item", self.manifest.n_interactions)
        self.timestamp = self._map("timestamp", self.manifest.n_interactions)
        self.split = self._map("split", self.manifest.n_interactions)
        self.offsets = self._map("offsets", self.n_users + 1)

    def _map(self, name: str, length: int) -> Tensor:
        file = self.folder / SEQUENCES / f"{name}.npy"
        try:
            array = np.load(file, mmap_mode="c")  # copy on write: PyTorch warns of arrays that cannot be written to
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{file}: cannot be read ({error}); remove {self.folder} and prepare again") from None
        if array.shape != (length,):
            raise UserError(f"{file}: has shape {array.shape}, not ({length},); remove {self.folder} and prepare again")
        return torch.from_numpy(array)

    @cached_property
    def train(self) -> TrainView:
        """The train-only view. A user's training interactions come before all held-out ones."""
        keep = self.split == int(Split.TRAIN)
        before = torch.zeros(len(keep) + 1, dtype=torch.int64)
        torch.cumsum(keep, 0, out=before[1:])
        return TrainView(self.n_users, self.n_items, before[self.offsets], self.items[keep], self.timestamp[keep])

    @cached_property
    def newest(self) -> int:
        """The time of the newest interaction, in seconds."""
        return int(self.timestamp.max())

    def user_of(self, rows: Tensor) -> Tensor:
        """Return the user (n,) int64 of each interaction, given its row (n,)."""
        return torch.searchsorted(self.offsets, rows, right=True) - 1

    def instances(self, split: Split) -> Tensor:
        """Return the rows (n,) of the held-out interactions of a split that have a history to predict from."""
        rows = torch.nonzero(self.split == int(split)).squeeze(1)
        return rows[rows > self.offsets[self.user_of(rows)]]

    @cached_property
    def item_table(self) -> pl.DataFrame:
        """The rows of `items.parquet`; row = item index."""
        return self._read("items")

    @cached_property
    def user_ids(self) -> list[str]:
        """Raw user ids by user index."""
        return self._read("users")["raw_id"].to_list()

    def _read(self, name: str) -> pl.DataFrame:
        file = self.folder / f"{name}.parquet"
        try:
            return pl.read_parquet(file, glob=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{file}: cannot be read ({reason}); remove {self.folder} and prepare again") from None
