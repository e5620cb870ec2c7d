"""Rows of tables that learn, with gradients that are fast and the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def look_up(index: Tensor, table: Tensor) -> Tensor:
    """Return `table[index]`, the rows (..., D) of a table (n, D) at an index (...).

    On a CPU this is `embedding`, because threads add up the gradient of `table[index]` in a random order. On a GPU,
    `embedding` sorts the index first, with about twenty kernels; `index_select` adds up in one kernel, in a random
    order.
    """
    if table.is_cuda:
        return table.index_select(0, index.flatten()).view(*index.shape, -1)
    return F.embedding(index, table)


def look_up_all(indices: Sequence[Tensor], table: Tensor) -> list[Tensor]:
    """Return the rows (..., D) of a table at each of several indices (...), with one lookup.

    Each lookup has a gradient of the size of the whole table, so one is faster than several.
    """
    rows = look_up(torch.cat([index.flatten() for index in indices]), table)
    parts = rows.split([index.numel() for index in indices])
    return [part.view(*index.shape, table.shape[1]) for part, index in zip(parts, indices, strict=True)]


def look_up_places(row: Tensor, position: Tensor, states: Tensor) -> Tensor:
    """Return `states[row, position]`, (P, D) of (B, L, D), as `look_up` does."""
    return look_up(row * states.shape[1] + position, states.flatten(0, 1))


def look_up_scalars(index: Tensor, table: Tensor) -> Tensor:
    """Return `table[index]` for a small table (n,) and a large index (...), whose gradient is a histogram."""
    values: Tensor = _ScalarLookup.apply(table, index)
    return values


def pick(x: Tensor, position: Tensor) -> Tensor:
    """Return one position (B,) of each row of (B, L, D), (B, D)."""
    return x[torch.arange(x.shape[0], device=x.device), position]  # `len` would fix the batch size of an export


class _ScalarLookup(torch.autograd.Function):
    """`table[index]` with a gradient by `bincount`."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.size = len(table)
        return table[index]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        grad = torch.bincount(index.flatten(), grads[0].flatten(), minlength=ctx.size)
        return grad.to(grads[0].dtype), None
