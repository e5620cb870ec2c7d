"""A prepared dataset in memory, and the train-only view that everything learned is built from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from mmrec.data.manifest import Manifest
from mmrec.data.schema import Split


@dataclass(frozen=True)
class TrainView:
    """The training interactions alone: the graph, the index, popularity and negatives see nothing else.

    Args:
        n_users: U.
        n_items: I, padding included.
        offsets: (U + 1,) int64, where each user's items start.
        items: (n,) int64, item indices grouped by user, oldest first.
    """

    n_users: int
    n_items: int
    offsets: Tensor
    items: Tensor

    @cached_property
    def users(self) -> Tensor:
        """(n,) int64, the user of each interaction."""
        return torch.repeat_interleave(torch.arange(self.n_users), self.offsets.diff())

    @cached_property
    def popularity(self) -> Tensor:
        """(I,) int64, training interactions of each item."""
        return torch.bincount(self.items, minlength=self.n_items)


class Catalog:
    """A dataset folder written by `prepare`, opened.

    Args:
        folder: the dataset folder.

    Attributes:
        n_users: U.
        n_items: I, padding included.
        users: (n,) int64, user of each interaction, ascending.
        items: (n,) int64, item of each interaction, chronological within a user.
        split: (n,) int8, `Split` of each interaction.
        offsets: (U + 1,) int64, where each user's interactions start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest = Manifest.load(self.folder)
        self.n_users = self.manifest.n_users
        self.n_items = self.manifest.n_items
        table = pl.read_parquet(self.folder / "interactions.parquet", columns=["user", "item", "split"])
        self.users = _tensor(table["user"], np.int64)
        self.items = _tensor(table["item"], np.int64)
        self.split = _tensor(table["split"], np.int8)
        self.offsets = _offsets(torch.bincount(self.users, minlength=self.n_users))

    @cached_property
    def train(self) -> TrainView:
        """The train-only view. A user's training interactions come before all held-out ones."""
        keep = self.split == int(Split.TRAIN)
        counts = torch.bincount(self.users[keep], minlength=self.n_users)
        return TrainView(self.n_users, self.n_items, _offsets(counts), self.items[keep])

    def instances(self, split: Split) -> Tensor:
        """Return the rows (n,) of the held-out interactions of a split that have a history to predict from."""
        rows = torch.nonzero(self.split == int(split)).squeeze(1)
        return rows[rows > self.offsets[self.users[rows]]]

    @cached_property
    def item_table(self) -> pl.DataFrame:
        """The rows of `items.parquet`; row = item index."""
        return pl.read_parquet(self.folder / "items.parquet")

    @cached_property
    def user_ids(self) -> list[str]:
        """Raw user ids by user index."""
        return pl.read_parquet(self.folder / "users.parquet")["raw_id"].to_list()


def _tensor(column: pl.Series, dtype: type[np.generic]) -> Tensor:
    return torch.from_numpy(column.to_numpy().astype(dtype))


def _offsets(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
