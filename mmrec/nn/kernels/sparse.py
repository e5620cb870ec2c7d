"""Products with constant sparse matrices."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor


def sparse_product(matrix: Tensor, transpose: Tensor, x: Tensor) -> Tensor:
    """Return M X in fp32, with a gradient for X alone.

    Args:
        matrix: (n, m), CSR, the constant M.
        transpose: (m, n), CSR, Mᵀ, which the backward pass multiplies with.
        x: (m, D), X.
    """
    with torch.autocast(x.device.type, enabled=False):  # sparse products support no half precision
        product: Tensor = _SparseProduct.apply(x.float(), matrix, transpose)
    return product


def csr(degree: Tensor, columns: Tensor, values: Tensor, width: int) -> Tensor:
    """Build a CSR matrix with int32 indices, which need half the memory traffic of int64 and which MKL accepts.

    Args:
        degree: (rows,) int64, number of entries of each row.
        columns: (n,) integers, the columns of the entries, row after row.
        values: (n,) float32, the entries.
        width: number of columns.
    """
    rows = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            rows.int(), columns.int(), values, size=(len(degree), width), check_invariants=False
        )


class _SparseProduct(torch.autograd.Function):
    """Y = M X, whose gradient for X is Mᵀ times that of Y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
        ctx.transpose = transpose
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transpose @ grads[0].contiguous(), None, None
