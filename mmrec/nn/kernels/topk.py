"""The largest values of each row, faster than `topk`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

GROUP = 64  # columns per group


class Largest(NamedTuple):
    """The k largest values of some rows, largest first.

    Args:
        values: (n, k).
        columns: (n, k) int64, the columns of the values.
    """

    values: Tensor
    columns: Tensor


def largest(values: Tensor, k: int) -> Largest:
    """Return the k largest of each row (n, m), k at most m: the result of `topk` from a fraction of the columns.

    Each of the k largest values is in one of the k groups with the largest maxima, or in the columns after the last
    whole group.
    """
    whole = values.shape[1] // GROUP
    grouped, rest = values[:, : whole * GROUP].unflatten(1, (whole, GROUP)), values[:, whole * GROUP :]
    groups = grouped.amax(dim=2).topk(min(k, whole), dim=1).indices
    inside = grouped.gather(1, groups[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    best = torch.cat([inside, rest], dim=1).topk(k, dim=1)
    starts = torch.cat([groups, groups.new_full((len(groups), 1), whole)], dim=1) * GROUP
    return Largest(best.values, starts.gather(1, best.indices // GROUP) + best.indices % GROUP)
