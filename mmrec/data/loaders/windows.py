"""Batches by index arithmetic over contiguous arrays: no Python per row, nothing to pickle to workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mmrec.batch import PAD, Clock, EvalBatch, TrainBatch
from mmrec.data.catalog import Catalog, TrainView


class Rows(NamedTuple):
    """Which rows of a long column right-padded windows hold, to gather several columns by.

    Args:
        number: (B, L) int64, of the row.
        padding: (B, L) bool, where a window has ended and `number` means nothing.
    """

    number: Tensor
    padding: Tensor

    def of(self, column: Tensor, later: int = 0) -> Tensor:
        """Return the column (n,) at the rows, or some rows later, (B, L) int64, PAD where there is padding."""
        number = self.number + later if later else self.number
        return column[number.clamp(max=len(column) - 1)].long().masked_fill_(self.padding, PAD)


def windows(starts: Tensor, ends: Tensor, device: torch.device | None = None) -> Rows:
    """Return rows `start:end`, right-padded to the longest.

    Args:
        starts: (B,) int64, on the CPU, which then need not ask the device how long the longest is.
        ends: (B,) int64, likewise.
        device: of the result, where the columns are.
    """
    place = torch.arange(int((ends - starts).max()), device=device)
    starts, ends = (bound.to(device, non_blocking=True)[:, None] for bound in (starts, ends))
    number = starts + place
    return Rows(number, number >= ends)


def clock(timestamp: Tensor, rows: Rows) -> Clock:
    """Return the times of windows and of the rows after each, given all times (n,)."""
    return Clock(rows.of(timestamp), rows.of(timestamp, later=1))


def ragged(items: Tensor, starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Gather rows `items[start:end]` one after the other.

    Args:
        items: (n,) integers.
        starts: (B,) int64, on the CPU, see `windows`.
        ends: (B,) int64, likewise.

    Returns:
        the items (E,) and the offsets (B + 1,), both int64, on the device of the items.
    """
    lengths = ends - starts
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    total, device = int(offsets[-1]), items.device
    shift, lengths, offsets = (
        bound.to(device, non_blocking=True) for bound in (starts - offsets[:-1], lengths, offsets)
    )
    index = torch.arange(total, device=device) + torch.repeat_interleave(shift, lengths, output_size=total)
    return items[index].long(), offsets


def by_length(starts: Tensor, ends: Tensor, *columns: Tensor) -> list[Tensor]:
    """Order columns (B,) by `ends - starts`: neighbours in a batch have windows of a length, see `CausalEncoder`."""
    order = (ends - starts).argsort(stable=True)
    return [column[order] for column in columns]


def share(order: Tensor, batch_size: int, rank: int, world: int) -> list[Tensor]:
    """Cut an order into this process's batches.

    Every sample belongs to exactly one process, all processes take the same number of steps, and batch sizes
    differ by at most one, so that no tiny last batch gets the weight of a full one.

    Args:
        order: (n,) the samples.
        batch_size: B per process; no batch is larger.
        rank: this process, 0 .. world - 1.
        world: number of processes.
    """
    steps = max(1, -(-len(order) // (batch_size * world)))
    return [part.tensor_split(world)[rank] for part in order.tensor_split(steps)]


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
        return len(share(self.user, self.batch_size, self.rank, self.world))

    def __iter__(self) -> Iterator[TrainBatch]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch())
        starts = self.starts(torch.rand(self.view.n_users, generator=generator))
        order = torch.randperm(len(starts), generator=generator)
        for rows in share(order, self.batch_size, self.rank, self.world):
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


class EvalLoader:
    """Held-out interactions, each with the whole history before it.

    Args:
        catalog: the dataset.
        rows: (n,) the interactions to rank, see `Catalog.instances`; None for the unknown next item of every user.
        max_length: L.
        batch_size: B.
        candidates: (n, C) sampled negatives of each row, or None for full ranking.
        rank: this process.
        world: number of processes.
        device: where batches are put together.
    """

    def __init__(
        self,
        catalog: Catalog,
        rows: Tensor | None,
        max_length: int,
        batch_size: int,
        candidates: Tensor | None = None,
        rank: int = 0,
        world: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.catalog = catalog
        self.rows = rows
        self.max_length = max_length
        self.candidates = candidates
        self.device = device
        self.items, self.timestamp = catalog.items.to(device), catalog.timestamp.to(device)
        count = catalog.n_users if rows is None else len(rows)
        self.shares = [part for part in share(torch.arange(count), batch_size, rank, world) if len(part)]

    def __len__(self) -> int:
        return len(self.shares)

    def __iter__(self) -> Iterator[EvalBatch]:
        return (self.batch(index) for index in self.shares)

    def batch(self, index: Tensor) -> EvalBatch:
        """Assemble some of the rows, given by their place in `rows`, those with the shortest windows first."""
        catalog = self.catalog
        if self.rows is None:
            user, end = index, catalog.offsets[index + 1]
            target, instance = torch.full_like(index, PAD), index
        else:
            instance = end = self.rows[index]
            user, target = catalog.user_of(end), catalog.items[end].long()
        first = catalog.offsets[user]
        start = torch.maximum(first, end - self.max_length)
        index, user, first, start, end, target, instance = by_length(
            start, end, index, user, first, start, end, target, instance
        )
        earlier, offsets = ragged(self.items, first, start)
        rows = windows(start, end, self.device)
        times = clock(self.timestamp, rows)
        if self.rows is None:  # what comes next is asked for at the end of the data
            times.query_time[torch.arange(len(user)), end - start - 1] = catalog.newest
        user, target, instance = (column.to(self.device, non_blocking=True) for column in (user, target, instance))
        return EvalBatch(
            user=user,
            items=rows.of(self.items),
            earlier=earlier,
            earlier_offsets=offsets,
            clock=times,
            target=target,
            instance=instance,
            candidates=None if self.candidates is None else self.candidates[index].to(self.device),
        )
