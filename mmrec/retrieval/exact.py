"""Exact nearest neighbours by blocked matrix products.

Two things make it faster than a product and a sort of everything. The largest values of a row are sought among the
groups of columns with the largest maxima alone. And where the processor is faster with rounded factors, a rounded
product finds candidates, which are then compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.nn.kernels.precision import reduced_precision

ELEMENTS = 2**24  # similarities alive at a time: 64 MB of fp32
GROUP = 64  # columns
TOGETHER = 16  # rows whose candidates are compared at a time: 16 x 50 x 512 in fp32 is 1.6 MB, what stays in cache
ON_GPU = 8  # as many times more similarities, and all their rows together: fewer and larger steps
SPARE = 32  # candidates beyond K; with few of them more rows are in doubt, with many the exact comparison takes longer


class Nearest(NamedTuple):
    """The k largest similarities of some rows, largest first.

    Args:
        values: (n, k).
        columns: (n, k) int64, where they are: rows of the library.
    """

    values: Tensor
    columns: Tensor


def search(library: Tensor, k: int) -> Tensor:
    """Find the k nearest rows of each row by inner product, itself included.

    A row outside the candidates has a rounded product below that of the last candidate, so that its exact one can be
    above the k-th found only if rounding makes up for the difference. Rows of which this cannot be excluded are
    searched again by exact products. With x = x' + δ, where x' is x rounded, x·y - x'·y' = δx·y + x'·δy, which is at
    most |δx| + |x'| |δy| for rows of length 1.

    Args:
        library: (n, D) float32, rows of length 1.
        k: at most n.

    Returns:
        (n, k) int64, nearest first.
    """
    everyone = torch.arange(len(library), device=library.device)
    sought = min(k + SPARE, len(library))
    found = torch.empty(len(library), k, dtype=torch.int64, device=library.device)
    lost = (library - library.bfloat16().float()).norm(dim=1)  # |δ|; what else a processor rounds to is finer
    error = lost + (1 + lost) * lost.max()
    doubtful = [everyone[:0]]
    for rows, candidates in _blocks(library, everyone, sought, rounded=True):
        together = len(rows) if library.is_cuda else TOGETHER
        parts = zip(rows.split(together), candidates.columns.split(together), strict=True)
        exact = torch.cat([torch.bmm(library[columns], library[row, :, None]) for row, columns in parts]).squeeze(2)
        best = exact.topk(k, dim=1)
        found[rows] = candidates.columns.gather(1, best.indices)
        if sought < len(library):
            doubtful.append(rows[best.values[:, -1] < candidates.values[:, -1] + error[rows]])
    for rows, nearest in _blocks(library, torch.cat(doubtful), k, rounded=False):
        found[rows] = nearest.columns
    return found


def _blocks(library: Tensor, asking: Tensor, k: int, rounded: bool) -> Iterator[tuple[Tensor, Nearest]]:
    """Yield the rows (n,) of the library that ask, a block at a time, and what is nearest to them."""
    groups = -(-len(library) // GROUP)
    size = max(1, ELEMENTS * (ON_GPU if library.is_cuda else 1) // (groups * GROUP))
    # The columns that fill the last group stay at -inf.
    buffer = library.new_full((min(size, len(asking)), groups * GROUP), -torch.inf)
    for rows in asking.split(size) if len(asking) else ():
        similarity = buffer[: len(rows)]
        _product(library[rows], library, rounded, similarity[:, : len(library)])
        yield rows, largest(similarity, k)


def _product(rows: Tensor, library: Tensor, rounded: bool, out: Tensor) -> None:
    with reduced_precision(rounded):
        torch.mm(rows, library.T, out=out)


def largest(values: Tensor, k: int) -> Nearest:
    """Return the k largest of each row (n, m), k at most m; the same as `topk`, of which it needs a part.

    Each of the k largest is in one of the k groups with the largest maxima, or among the columns left over.
    """
    whole = values.shape[1] // GROUP
    grouped, rest = values[:, : whole * GROUP].unflatten(1, (whole, GROUP)), values[:, whole * GROUP :]
    groups = grouped.amax(dim=2).topk(min(k, whole), dim=1).indices
    inside = grouped.gather(1, groups[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    best = torch.cat([inside, rest], dim=1).topk(k, dim=1)
    starts = torch.cat([groups, groups.new_full((len(groups), 1), whole)], dim=1) * GROUP
    return Nearest(best.values, starts.gather(1, best.indices // GROUP) + best.indices % GROUP)
