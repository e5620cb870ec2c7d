"""Training windows as batches, by index arithmetic over contiguous arrays: no Python per row, no worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from mmrec.batch import TrainBatch
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.indexing import EpochSeed, Process, by_length, clock, ragged, windows

Windows = Literal["last", "all"]


class TrainLoader:
    """Windows of users' training histories in a new order each epoch, each input with the item that follows it.

    The order is a function of seed and epoch alone.

    Args:
        view: the training interactions.
        max_length: L.
        batch_size: B per process.
        epoch_seed: seed of the order in each epoch.
        windows: "all" uses as many windows as hold the whole history: the newest one, and the others spread evenly over
            the rest with a random shift, so that over the epochs every event is a target. "last" uses only a user's
            newest L inputs, as SASRec does.
        process: the process that is served.
    """

    def __init__(
        self,
        view: TrainView,
        *,
        max_length: int,
        batch_size: int,
        epoch_seed: EpochSeed,
        windows: Windows = "all",
        process: Process = Process(),  # noqa: B008  frozen
    ) -> None:
        self.view = view
        self.max_length = max_length
        self.batch_size = batch_size
        self.epoch_seed = epoch_seed
        self.process = process
        self.items, self.timestamp = view.items.to(process.device), view.timestamp.to(process.device)
        # One event is an input without a target: it trains nothing.
        inputs = view.offsets.diff() - 1
        users = torch.nonzero(inputs > 0).squeeze(1)
        counts = torch.ones_like(users) if windows == "last" else -(-inputs[users] // max_length)
        self.user = users.repeat_interleave(counts)
        self.count = counts.repeat_interleave(counts)
        self.place = torch.arange(len(self.user)) - (counts.cumsum(0) - counts).repeat_interleave(counts)

    def __len__(self) -> int:
        return len(self.process.shard(self.user, self.batch_size))

    def __iter__(self) -> Iterator[TrainBatch]:
        generator = torch.Generator().manual_seed(self.epoch_seed())
        starts = self.starts(torch.rand(self.view.n_users, generator=generator))
        order = torch.randperm(len(starts), generator=generator)
        for rows in self.process.shard(order, self.batch_size):
            yield self.batch(self.user[rows], starts[rows])

    def starts(self, shift: Tensor) -> Tensor:
        """Return the row where each window starts, (n,) int64, given each user's shift (U,) in [0, 1)."""
        first, newest = self.view.offsets[self.user], self.view.offsets[self.user + 1] - 1 - self.max_length
        spread = (self.place + shift[self.user]) / (self.count - 1).clamp(min=1) * (newest - first)
        return torch.where(self.place == self.count - 1, torch.maximum(first, newest), first + spread.long())

    def batch(self, user: Tensor, start: Tensor) -> TrainBatch:
        """Return the windows of some users (B,) that start at some rows (B,), sorted by length."""
        device = self.process.device
        end = torch.minimum(start + self.max_length, self.view.offsets[user + 1] - 1)
        user, start, end = by_length(start, end, user, start, end)
        earlier, offsets = ragged(self.items, self.view.offsets[user], start)
        rows = windows(start, end, device)
        return TrainBatch(
            user=user.to(device, non_blocking=True),
            items=rows.of(self.items),
            targets=rows.of(self.items, later=1),
            n_targets=int((end - start).sum()),
            earlier=earlier,
            earlier_offsets=offsets,
            clock=clock(self.timestamp, rows),
        )
