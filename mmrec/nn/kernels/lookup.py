"""Rows of a table that learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def look_up(index: Tensor, table: Tensor) -> Tensor:
    """Return the rows (..., D) of a table (n, D) at an index (...).

    On a CPU by `embedding`, since threads add up the gradient of `table[index]` in whatever order they come. On a GPU
    that sorts the index first, in some twenty kernels: there it is one, which adds in no order.
    """
    if table.is_cuda:
        return table.index_select(0, index.flatten()).view(*index.shape, -1)
    return F.embedding(index, table)


def look_up_all(indices: Sequence[Tensor], table: Tensor) -> list[Tensor]:
    """Return the rows (..., D) at each of several indices (...), looked up at once.

    Every lookup has a gradient of the size of the whole table.
    """
    rows = look_up(torch.cat([index.flatten() for index in indices]), table)
    parts = rows.split([index.numel() for index in indices])
    return [part.view(*index.shape, table.shape[1]) for part, index in zip(parts, indices, strict=True)]


def look_up_places(row: Tensor, position: Tensor, states: Tensor) -> Tensor:
    """Return `states[row, position]`, (P, D) of (B, L, D), by the kernels of `look_up`."""
    return look_up(row * states.shape[1] + position, states.flatten(0, 1))
