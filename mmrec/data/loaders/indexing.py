"""Index arithmetic over contiguous columns: the rows of windows, the order of an epoch, the shard of a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.batch import PAD, Clock
from mmrec.errors import UserError


@dataclass(frozen=True)
class EpochSeed:
    """A seed for each epoch, from the run's seed: a resumed run sees what an uninterrupted one would have seen.

    Args:
        seed: the run's seed.
        epoch: returns the current epoch, from 0.
    """

    seed: int
    epoch: Callable[[], int]

    def __call__(self) -> int:
        """Return the seed of the current epoch."""
        return self.seed * 1_000_003 + self.epoch()


@dataclass(frozen=True)
class Process:
    """The process that a loader serves, one of several.

    Args:
        rank: number of this process, 0 .. world - 1.
        world: number of processes.
        device: where batches are assembled; None for the CPU.
    """

    rank: int = 0
    world: int = 1
    device: torch.device | None = None

    def shard(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """Return this process's batches of an order.

        Every sample belongs to exactly one process, all processes take the same number of steps, and batch sizes
        differ by at most one, so that no small last batch gets the weight of a full one.

        Args:
            order: (n,) the samples.
            batch_size: B per process; no batch is larger.
        """
        steps = max(1, -(-len(order) // (batch_size * self.world)))
        return [part.tensor_split(self.world)[self.rank] for part in order.tensor_split(steps)]

    def require_samples(self, count: int, batch_size: int) -> None:
        """Raise UserError if a process would train on an empty batch of so many samples."""
        steps = max(1, -(-count // (batch_size * self.world)))
        if count // steps < self.world:
            raise UserError(
                f"{count} training samples in batches of {batch_size} leave nothing for some of {self.world} "
                "processes: use fewer processes (trainer.devices) or larger batches"
            )


class Rows(NamedTuple):
    """The rows of a long column that right-padded windows hold, to gather several columns by.

    Args:
        number: (B, L) int64, row numbers.
        padding: (B, L) bool, true after the end of a window, where `number` has no meaning.
    """

    number: Tensor
    padding: Tensor

    def of(self, column: Tensor, later: int = 0) -> Tensor:
        """Return the column (n,) at the rows, or some rows later, (B, L) int64, PAD at padding."""
        number = self.number + later if later else self.number
        return column[number.clamp(max=len(column) - 1)].long().masked_fill_(self.padding, PAD)


def windows(starts: Tensor, ends: Tensor, device: torch.device | None = None) -> Rows:
    """Return the rows `start:end` of each window, right-padded to the longest.

    Args:
        starts: (B,) int64, on the CPU, so that the longest length is known without waiting for a GPU.
        ends: (B,) int64, likewise.
        device: device of the result, where the columns are.
    """
    place = torch.arange(int((ends - starts).max()) if len(starts) else 0, device=device)
    starts, ends = (bound.to(device, non_blocking=True)[:, None] for bound in (starts, ends))
    number = starts + place
    return Rows(number, number >= ends)


def clock(timestamp: Tensor, rows: Rows) -> Clock:
    """Return the item times of windows and, as query times, the times of the rows after, given all times (n,)."""
    return Clock(rows.of(timestamp), rows.of(timestamp, later=1))


def ragged(items: Tensor, starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows `items[start:end]` one after the other.

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
    """Return columns (B,) sorted by `ends - starts`: see `CausalEncoder` for what windows of similar length save."""
    order = (ends - starts).argsort(stable=True)
    return [column[order] for column in columns]
