"""Batches by index arithmetic over contiguous arrays: no Python per row, nothing to pickle to workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mmrec.batch import PAD, EvalBatch, TrainBatch
from mmrec.data.catalog import Catalog, TrainView


def windows(items: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Gather rows `items[start:end]`, right-padded with PAD to the longest.

    Args:
        items: (n,) int64, all items in one row.
        starts: (B,) int64.
        ends: (B,) int64.

    Returns:
        (B, L) int64.
    """
    length = int((ends - starts).max())
    index = starts[:, None] + torch.arange(length)
    return items[index.clamp_(max=len(items) - 1)].masked_fill_(index >= ends[:, None], PAD)


def ragged(items: Tensor, starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Gather rows `items[start:end]` one after the other.

    Returns:
        the items (E,) and the offsets (B + 1,), both int64.
    """
    lengths = ends - starts
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    index = torch.arange(int(offsets[-1])) + torch.repeat_interleave(starts - offsets[:-1], lengths)
    return items[index], offsets


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


class TrainLoader:
    """Users' training windows in a fresh order every epoch: a user's newest `max_length` inputs, each with its target.

    The order is a function of (seed, epoch) alone, so a resumed run sees what an uninterrupted one would have seen.

    Args:
        view: the training interactions.
        max_length: L.
        batch_size: B per process.
        seed: of the order.
        epoch: returns the current epoch.
        rank: this process.
        world: number of processes.
    """

    def __init__(
        self,
        view: TrainView,
        max_length: int,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.view = view
        self.max_length = max_length
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self.rank = rank
        self.world = world
        # One event is an input without a target: it trains nothing.
        self.users = torch.nonzero(view.offsets.diff() >= 2).squeeze(1)

    def __len__(self) -> int:
        return len(share(self.users, self.batch_size, self.rank, self.world))

    def __iter__(self) -> Iterator[TrainBatch]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch())
        order = self.users[torch.randperm(len(self.users), generator=generator)]
        for user in share(order, self.batch_size, self.rank, self.world):
            yield self.batch(user)

    def batch(self, user: Tensor) -> TrainBatch:
        """Assemble the windows of some users (B,)."""
        first, last = self.view.offsets[user], self.view.offsets[user + 1] - 1
        start = torch.maximum(first, last - self.max_length)
        earlier, offsets = ragged(self.view.items, first, start)
        return TrainBatch(
            user=user,
            items=windows(self.view.items, start, last),
            targets=windows(self.view.items, start + 1, last + 1),
            earlier=earlier,
            earlier_offsets=offsets,
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
    ) -> None:
        self.catalog = catalog
        self.rows = rows
        self.max_length = max_length
        self.candidates = candidates
        count = catalog.n_users if rows is None else len(rows)
        self.shares = [part for part in share(torch.arange(count), batch_size, rank, world) if len(part)]

    def __len__(self) -> int:
        return len(self.shares)

    def __iter__(self) -> Iterator[EvalBatch]:
        return (self.batch(index) for index in self.shares)

    def batch(self, index: Tensor) -> EvalBatch:
        """Assemble some of the rows, given by their place in `rows`."""
        catalog = self.catalog
        if self.rows is None:
            user, end = index, catalog.offsets[index + 1]
            target, instance = torch.full_like(index, PAD), index
        else:
            instance = end = self.rows[index]
            user, target = catalog.users[end], catalog.items[end]
        first = catalog.offsets[user]
        start = torch.maximum(first, end - self.max_length)
        earlier, offsets = ragged(catalog.items, first, start)
        return EvalBatch(
            user=user,
            items=windows(catalog.items, start, end),
            earlier=earlier,
            earlier_offsets=offsets,
            target=target,
            instance=instance,
            candidates=None if self.candidates is None else self.candidates[index],
        )
