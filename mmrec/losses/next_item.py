"""L_rec of eq. 18: full cross-entropy over all items, without ever holding all the logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK = 512  # rows of logits alive at a time: 512 x 3,416 in fp32 is 7 MB, about what stays in cache


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy; the gradient is formed in the same pass, chunk by chunk, in one buffer of logits."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
        grad_hidden, grad_items = torch.empty_like(hidden), torch.zeros_like(items)
        buffer = hidden.new_empty(min(CHUNK, len(hidden)), len(items))
        total = hidden.new_zeros(())
        for start in range(0, len(hidden), CHUNK):
            rows, wanted = hidden[start : start + CHUNK], target[start : start + CHUNK, None]
            logits = torch.mm(rows, items.T, out=buffer[: len(rows)])
            chosen, largest = logits.gather(1, wanted), logits.amax(1)
            softmax = torch.softmax(logits, dim=1, out=logits)
            # logsumexp = largest - log(largest probability): no second exponential, and that one is never below 1 / I.
            total += (largest - softmax.amax(1).log() - chosen.squeeze(1)).sum()
            softmax.scatter_add_(1, wanted, softmax.new_full(wanted.shape, -1.0))
            torch.mm(softmax, items, out=grad_hidden[start : start + CHUNK])
            grad_items.addmm_(softmax.T, rows)
        ctx.save_for_backward(grad_hidden, grad_items)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_items = ctx.saved_tensors
        scale = grads[0] / len(grad_hidden)
        return grad_hidden * scale, grad_items * scale, None


def next_item_cross_entropy(hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the next item over the whole catalogue; PAD is no candidate.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.

    Returns:
        the mean over P, a scalar.
    """
    # In fp32 under mixed precision too: sums over thousands of exponentials lose what 8 bits of mantissa leave.
    with torch.autocast(hidden.device.type, enabled=False):
        loss: Tensor = _ChunkedCrossEntropy.apply(hidden.float(), items[1:].float(), target - 1)
    return loss
