"""Histories of anybody, given by raw item ids, as a batch that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmrec.batch import PAD, Clock, SequenceBatch


@dataclass(frozen=True)
class History:
    """What one person did, oldest first.

    Args:
        items: item indices.
        times: time of each item in seconds, None where they are unknown.
        user: index of a user of the dataset, 0 for anybody else; only models with a vector per user read it.
        unknown: number of given ids that are not items of the catalogue; they were left out.
    """

    items: tuple[int, ...]
    times: tuple[int, ...] | None = None
    user: int = 0
    unknown: int = 0


def assemble(histories: Sequence[History], max_length: int, newest: int) -> SequenceBatch:
    """Return histories as a batch: the newest L items of each in its window, everything before it as a ragged row.

    Where times are unknown, all items count as chosen at the newest time of the data.

    Args:
        histories: B histories, each with at least one item.
        max_length: L.
        newest: the newest time in the data, in seconds; the next item is asked for then, or at the last given time if
            that is later.
    """
    window = torch.from_numpy(right_padded([history.items[-max_length:] for history in histories]))
    earlier = [history.items[:-max_length] for history in histories]
    item_time = torch.full_like(window, newest)
    query_time = torch.full_like(window, newest)
    for row, history in enumerate(histories):
        if history.times is not None:
            times = torch.tensor(history.times[-max_length:])
            item_time[row, : len(times)] = times
            query_time[row, : len(times)] = torch.cat([times[1:], times[-1:].clamp(min=newest)])
    return SequenceBatch(
        user=torch.tensor([history.user for history in histories]),
        items=window,
        earlier=torch.tensor(list(chain.from_iterable(earlier)), dtype=torch.int64),
        earlier_offsets=torch.tensor([0, *accumulate(map(len, earlier))]),
        clock=Clock(item_time, query_time),
    )


def right_padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return B rows of numbers as one matrix (B, N), N the length of the longest, filled up with PAD."""
    longest = max(map(len, rows))
    return np.array([(*row, *(PAD,) * (longest - len(row))) for row in rows], np.int64)


def to(batch: SequenceBatch, device: torch.device) -> SequenceBatch:
    """Return a batch on a device."""
    moved: dict[str, Tensor] = {
        name: getattr(batch, name).to(device) for name in ("user", "items", "earlier", "earlier_offsets")
    }
    return SequenceBatch(**moved, clock=Clock(*(times.to(device) for times in batch.clock)))
