"""Batches of windows cut into groups of rows that a CPU computes one after the other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.batch import Clock


class RowGroup(NamedTuple):
    """Some rows of a batch of windows, and the positions in them whose states are wanted.

    Args:
        items: (b, l) int64, the windows, cut after the last wanted position.
        clock: the times of the windows, (b, l).
        row: (p,) int64, ascending, the row of each wanted position within the group.
        position: (p,) int64, the wanted positions.
    """

    items: Tensor
    clock: Clock
    row: Tensor
    position: Tensor


def group_rows(items: Tensor, clock: Clock, row: Tensor, position: Tensor, size: int) -> list[RowGroup]:
    """Cut a batch into groups of consecutive rows; groups without a wanted position are left out.

    In a causal encoder a state depends on nothing after its position, so each group is cut after its last wanted
    position. Loaders order a batch by length, so almost no padding is left to compute, and the intermediate results of
    a group stay in the CPU's cache.

    Args:
        items: (B, L) int64, right-padded windows.
        clock: the times of the windows.
        row: (P,) int64, ascending, the row of each wanted position.
        position: (P,) int64, the wanted positions.
        size: number of rows per group.
    """
    edges = [*range(0, len(items), size), len(items)]
    counts = torch.searchsorted(row, torch.tensor(edges, device=row.device)).diff().tolist()
    parts = zip(
        items.split(size),
        clock.item_time.split(size),
        clock.query_time.split(size),
        row.split(counts),
        position.split(counts),
        edges,
        strict=False,  # one edge more than groups
    )
    groups = []
    for windows, item_time, query_time, rows, positions, first in parts:
        if len(positions):
            length = int(positions.max()) + 1
            times = Clock(item_time[:, :length], query_time[:, :length])
            groups.append(RowGroup(windows[:, :length], times, rows - first, positions))
    return groups
