"""Batches by index arithmetic over contiguous arrays: no Python per row, nothing to pickle to workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from mmrec.batch import TrainBatch
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.indexing import by_length, clock, ragged, shard, windows

Windows = Literal["last", "all"]


class TrainLoader:
    """Windows of users' training histories in a fresh order every epoch, each input with its target.

    The order is a function of (seed, epoch) alone, so a resumed run sees what an uninterrupted one would have seen.

    Args:
        view: the training interactions.
        max_length: L.
        batch_size: B per process.
        seed: of the order.
        epoch: returns the current epoch.
        windows: "last" takes a user's newest L inputs alone, as SASRec does. "all" takes as many windows as
            hold the whole history: the newest one, and the others spread evenly over the rest with a random shift, so
            that over the epochs every event is a target.
        rank: this process.
        world: number of processes.
        device: where batches are put together.
    """

    def __init__(
        self,
        view: TrainView,
        max_length: int,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        windows: Windows = "last",
        rank: int = 0,
        world: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.view = view
        self.max_length = max_length
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self.rank = rank
        self.world = world
        self.device = device
        self.items, self.timestamp = view.items.to(device), view.timestamp.to(device)
        # One event is an input without a target: it trains nothing.
        inputs = view.offsets.diff() - 1
        users = torch.nonzero(inputs > 0).squeeze(1)
        counts = torch.ones_like(users) if windows == "last" else -(-inputs[users] // max_length)
        self.user = users.repeat_interleave(counts)
        self.count = counts.repeat_interleave(counts)
        self.place = torch.arange(len(self.user)) - (counts.cumsum(0) - counts).repeat_interleave(counts)

    def __len__(self) -> int:
        return len(shard(self.user, self.batch_size, self.rank, self.world))

    def __iter__(self) -> Iterator[TrainBatch]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch())
        starts = self.starts(torch.rand(self.view.n_users, generator=generator))
        order = torch.randperm(len(starts), generator=generator)
        for rows in shard(order, self.batch_size, self.rank, self.world):
            yield self.batch(self.user[rows], starts[rows])

    def starts(self, shift: Tensor) -> Tensor:
        """Return the row where each window starts, (n,) int64, given each user's shift (U,) in [0, 1)."""
        first, newest = self.view.offsets[self.user], self.view.offsets[self.user + 1] - 1 - self.max_length
        spread = (self.place + shift[self.user]) / (self.count - 1).clamp(min=1) * (newest - first)
        return torch.where(self.place == self.count - 1, torch.maximum(first, newest), first + spread.long())

    def batch(self, user: Tensor, start: Tensor) -> TrainBatch:
        """Assemble the windows of some users (B,) that start at some rows (B,), the shortest first."""
        end = torch.minimum(start + self.max_length, self.view.offsets[user + 1] - 1)
        user, start, end = by_length(start, end, user, start, end)
        earlier, offsets = ragged(self.items, self.view.offsets[user], start)
        rows = windows(start, end, self.device)
        return TrainBatch(
            user=user.to(self.device, non_blocking=True),
            items=rows.of(self.items),
            targets=rows.of(self.items, later=1),
            n_targets=int((end - start).sum()),
            earlier=earlier,
            earlier_offsets=offsets,
            clock=clock(self.timestamp, rows),
        )
