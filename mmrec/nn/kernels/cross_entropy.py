"""Cross-entropy over many classes that never holds all logits, and its plain form."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.precision import factor_dtype, loss_precision

ROWS = 512  # rows per block on a CPU: 512 x 3,416 logits in fp32 are 7 MB, which stay in the cache
SHAPES = 128  # the last block is padded with zeros to a multiple: each new shape makes a kernel that is kept
ELEMENTS = 2**27  # logits per block on a GPU, 512 MB: few and large steps
LN2 = math.log(2)  # e^x is computed as 2^(x / ln 2), which takes a third of the time on some CPUs
LARGEST = 60.0  # e^60 times a million classes is below the largest fp32, and e^-60 is above the smallest


def chunked_cross_entropy(hidden: Tensor, classes: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of softmax(hidden · classesᵀ), as `plain_cross_entropy` does.

    A block of rows holds its exponentials and never turns them into a softmax: the gradient Σ_j exp(h·c_j) c_j / Z - c
    needs the row's sum Z only after the product. The products have the precision of `set_loss_precision`; all the rest
    is in fp32, under mixed precision too.

    Args:
        hidden: (n, D).
        classes: (C, D).
        target: (n,) int64, the class of each row.

    Returns:
        a scalar.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        loss: Tensor = _ChunkedCrossEntropy.apply(hidden.float(), classes.float(), target)
    return loss


def plain_cross_entropy(hidden: Tensor, classes: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of softmax(hidden · classesᵀ) from one full matrix of logits."""
    return F.cross_entropy(hidden @ classes.T, target)


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy whose gradient is computed in the same pass, block by block, in one buffer of logits."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, classes: Tensor, target: Tensor) -> Tensor:
        wanted, n = classes[target], len(hidden)
        hidden = F.pad(hidden, (0, 0, 0, -n % SHAPES))
        grad_hidden, grad_classes = torch.empty_like(hidden), torch.zeros_like(classes)
        block = max(1, ELEMENTS // len(classes)) if hidden.is_cuda else ROWS
        buffer = hidden.new_empty(min(block, len(hidden)), len(classes))
        total, shift = hidden.new_empty(len(hidden)), hidden.new_zeros(len(hidden))
        # No logit is above the product of the longest vectors: where that is small, the exponentials need no maximum
        # subtracted first. On a GPU the check would wait for longer than it saves.
        small = not hidden.is_cuda and bool(longest(hidden) * longest(classes) <= LARGEST)
        scaled, dtype = hidden / LN2, factor_dtype(hidden.device)
        factors = classes.to(dtype)
        with loss_precision():
            for start in range(0, len(hidden), block):
                part = slice(start, start + block)
                exponential = torch.mm(scaled[part], classes.T, out=buffer[: len(hidden[part])])
                if not small:
                    exponential -= torch.amax(exponential, dim=1, out=shift[part])[:, None]
                torch.sum(exponential.exp2_(), dim=1, out=total[part])
                factor = exponential.to(dtype)
                grad_hidden[part] = factor @ factors
                grad_classes += factor.T @ (hidden[part] / total[part, None]).to(dtype)
        grad_hidden, hidden = grad_hidden[:n].div_(total[:n, None]).sub_(wanted), hidden[:n]
        grad_classes.index_add_(0, target, hidden, alpha=-1)
        ctx.save_for_backward(grad_hidden, grad_classes)
        return (total[:n].log() + shift[:n] * LN2 - (hidden * wanted).sum(dim=1)).mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_classes = ctx.saved_tensors
        scale = grads[0] / len(grad_hidden)
        return grad_hidden * scale, grad_classes * scale, None


def longest(vectors: Tensor) -> Tensor:
    """Return the largest length of the rows (n, D), a scalar."""
    lengths: Tensor = vectors.norm(dim=1)
    return lengths.amax()
