r"""L_rec of eq. 18: full cross-entropy over all items, without ever holding all the logits.

    L = 1/P Σ (log Σ_j exp(h·e_j) - h·e_target)

The exponentials of a block of positions are all that is kept at a time, and they are never turned into a softmax: the
gradients Σ_j exp(h·e_j) e_j / Z - e_target need the sum Z of the row only after the product.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.precision import factor_dtype, loss_precision

ROWS = 512  # positions whose logits are alive at a time on a CPU: 512 x 3,416 in fp32 is 7 MB, what stays in cache
SHAPES = 128  # the last block is filled up with zeros to a multiple: for every new shape a kernel is made and kept
ELEMENTS = 2**27  # logits alive at a time on a GPU, 512 MB: fewer and larger steps
LN2 = math.log(2)  # e^x is computed as 2^(x / ln 2), which some processors do in a third of the time
LARGEST = 60.0  # e^60 times a million items is below the largest fp32, and e^-60 above the smallest


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy; the gradient is formed in the same pass, block by block, in one buffer of logits."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
        wanted, n = items[target], len(hidden)
        hidden = F.pad(hidden, (0, 0, 0, -n % SHAPES))
        grad_hidden, grad_items = torch.empty_like(hidden), torch.zeros_like(items)
        block = max(1, ELEMENTS // len(items)) if hidden.is_cuda else ROWS
        buffer = hidden.new_empty(min(block, len(hidden)), len(items))
        total, shift = hidden.new_empty(len(hidden)), hidden.new_zeros(len(hidden))
        # No logit is above the product of the longest vectors: short ones need no maximum taken off before the
        # exponential. On a GPU the question would cost more than the answer saves.
        small = not hidden.is_cuda and bool(longest(hidden) * longest(items) <= LARGEST)
        scaled, dtype = hidden / LN2, factor_dtype(hidden.device)
        candidates = items.to(dtype)
        with loss_precision():
            for start in range(0, len(hidden), block):
                part = slice(start, start + block)
                exponential = torch.mm(scaled[part], items.T, out=buffer[: len(hidden[part])])
                if not small:
                    exponential -= torch.amax(exponential, dim=1, out=shift[part])[:, None]
                torch.sum(exponential.exp2_(), dim=1, out=total[part])
                factor = exponential.to(dtype)
                grad_hidden[part] = factor @ candidates
                grad_items += factor.T @ (hidden[part] / total[part, None]).to(dtype)
        grad_hidden, hidden = grad_hidden[:n].div_(total[:n, None]).sub_(wanted), hidden[:n]
        grad_items.index_add_(0, target, hidden, alpha=-1)
        ctx.save_for_backward(grad_hidden, grad_items)
        return (total[:n].log() + shift[:n] * LN2 - (hidden * wanted).sum(dim=1)).mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_items = ctx.saved_tensors
        scale = grads[0] / len(grad_hidden)
        return grad_hidden * scale, grad_items * scale, None


def longest(vectors: Tensor) -> Tensor:
    """Return the largest length of the rows (n, D), a scalar."""
    lengths: Tensor = vectors.norm(dim=1)
    return lengths.amax()


def next_item_cross_entropy(hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the next item over the whole catalogue; PAD is no candidate.

    The products round what they multiply, see `loss_precision`; all the rest is in fp32, under mixed precision too.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.

    Returns:
        the mean over P, a scalar.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        loss: Tensor = _ChunkedCrossEntropy.apply(hidden.float(), items[1:].float(), target - 1)
    return loss
