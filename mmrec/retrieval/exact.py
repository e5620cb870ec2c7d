"""Exact nearest neighbours by blocked matrix products.

Two things make it faster than one product and one sort of everything. `largest` reads only the groups of columns with
the largest maxima. And where the CPU or GPU is faster at reduced precision, a product at reduced precision finds
candidates, which are then compared in fp32.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mmrec.nn.kernels.precision import reduced_precision
from mmrec.nn.kernels.topk import GROUP, Largest, largest

ELEMENTS = 2**24  # similarities per block: 64 MB of fp32
TOGETHER = 16  # rows whose candidates are compared together: 16 x 50 x 512 in fp32 are 1.6 MB, which stay in the cache
ON_GPU = 8  # factor of ELEMENTS on a GPU, which also compares all rows of a block together: few and large steps
SPARE = 32  # candidates beyond K; fewer leave more rows in doubt, more make the comparison in fp32 slower


def search(library: Tensor, k: int) -> Tensor:
    """Return the k nearest rows of each row by inner product, itself included.

    A row that is not a candidate has a lower product at reduced precision than the last candidate. Its true product can
    exceed the k-th found only if the rounding error is larger than the difference. Where that cannot be ruled out, the
    row is searched again in fp32. With x = x' + δ, where x' is x rounded, x·y - x'·y' = δx·y + x'·δy, which is at most
    |δx| + |x'| |δy| for rows of length 1.

    Args:
        library: (n, D) float32, rows of length 1.
        k: number of neighbours, at most n.

    Returns:
        (n, k) int64, nearest first.
    """
    everyone = torch.arange(len(library), device=library.device)
    sought = min(k + SPARE, len(library))
    found = torch.empty(len(library), k, dtype=torch.int64, device=library.device)
    lost = (library - library.bfloat16().float()).norm(dim=1)  # |δ|; TF32 rounds less than bf16
    error = lost + (1 + lost) * lost.max()
    doubtful = [everyone[:0]]
    for rows, candidates in _blocks(library, everyone, sought, reduced=True):
        together = len(rows) if library.is_cuda else TOGETHER
        parts = zip(rows.split(together), candidates.columns.split(together), strict=True)
        exact = torch.cat([torch.bmm(library[columns], library[row, :, None]) for row, columns in parts]).squeeze(2)
        best = exact.topk(k, dim=1)
        found[rows] = candidates.columns.gather(1, best.indices)
        if sought < len(library):
            doubtful.append(rows[best.values[:, -1] < candidates.values[:, -1] + error[rows]])
    for rows, nearest in _blocks(library, torch.cat(doubtful), k, reduced=False):
        found[rows] = nearest.columns
    return found


def _blocks(library: Tensor, queries: Tensor, k: int, reduced: bool) -> Iterator[tuple[Tensor, Largest]]:
    """Yield the query rows (n,) of the library, block by block, and the k rows that are nearest to each."""
    groups = -(-len(library) // GROUP)
    size = max(1, ELEMENTS * (ON_GPU if library.is_cuda else 1) // (groups * GROUP))
    # The columns that fill the last group stay at -inf.
    buffer = library.new_full((min(size, len(queries)), groups * GROUP), -torch.inf)
    for rows in queries.split(size) if len(queries) else ():
        similarity = buffer[: len(rows)]
        _product(library[rows], library, reduced, similarity[:, : len(library)])
        yield rows, largest(similarity, k)


def _product(rows: Tensor, library: Tensor, reduced: bool, out: Tensor) -> None:
    with reduced_precision(reduced):
        torch.mm(rows, library.T, out=out)
