"""The largest values of each row, faster than `topk`, with equal values in the order of their columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

GROUP = 64  # columns per group


class Largest(NamedTuple):
    """The k largest values of some rows: largest first, and of equal values the lowest column first.

    Args:
        values: (n, k).
        columns: (n, k) int64, the columns of the values.
    """

    values: Tensor
    columns: Tensor


def largest(values: Tensor, k: int) -> Largest:
    """Return the k largest of each row (n, m), k at most m: the first k of a stable descending sort.

    So a shorter list is the beginning of a longer one. The order of equal values costs time only where there are some:
    one value more than k shows whether the k-th equals one that is left out.
    """
    best = _of_groups(values, min(k + 1, values.shape[1]), _topk)
    equal = best.values[:, 1:] == best.values[:, :-1]
    if equal.any():
        by_column = best.columns.sort(dim=1)
        place = best.values.gather(1, by_column.indices).sort(dim=1, descending=True, stable=True).indices
        best = Largest(best.values, by_column.values.gather(1, place))
        beyond = equal[:, k - 1 :].any(dim=1).nonzero().squeeze(1)
        best.columns[beyond] = _of_groups(values[beyond], best.columns.shape[1], _stable).columns
    return Largest(best.values[:, :k], best.columns[:, :k])


def _of_groups(values: Tensor, k: int, select: Callable[[Tensor, int], Largest]) -> Largest:
    """Return the k largest of each row (n, m), selected from a fraction of the columns.

    Each of the k largest values is in one of the k groups with the largest maxima, or in the columns after the last
    whole group. This holds for equal values too: of groups with equal maxima, the first has the lower columns.
    """
    whole = values.shape[1] // GROUP
    grouped, rest = values[:, : whole * GROUP].unflatten(1, (whole, GROUP)), values[:, whole * GROUP :]
    groups = select(grouped.amax(dim=2), min(k, whole)).columns.sort(dim=1).values
    inside = grouped.gather(1, groups[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    best = select(torch.cat([inside, rest], dim=1), k)
    starts = torch.cat([groups, groups.new_full((len(groups), 1), whole)], dim=1) * GROUP
    return Largest(best.values, starts.gather(1, best.columns // GROUP) + best.columns % GROUP)


def _topk(values: Tensor, k: int) -> Largest:
    return Largest(*values.topk(k, dim=1))


def _stable(values: Tensor, k: int) -> Largest:
    ordered, columns = values.sort(dim=1, descending=True, stable=True)
    return Largest(ordered[:, :k], columns[:, :k])
