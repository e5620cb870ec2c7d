"""Index arithmetic over contiguous columns: which rows a window holds, which samples a process serves."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.batch import PAD, Clock


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


def shard(order: Tensor, batch_size: int, rank: int, world: int) -> list[Tensor]:
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
