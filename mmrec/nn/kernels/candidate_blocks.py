"""Losses over a positive and N negatives for each position, without ever holding all the logits.

Positions are taken in blocks that share their negatives, so that the logits of a block are one matrix product and the
only ones held at a time. Blocks are small beside a batch: with one set of negatives for a whole batch few items are
pushed away at each step, and training is several times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmrec.nn.kernels.precision import loss_precision

BLOCK = 128  # positions that share their negatives

LogitLoss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From the positive logits (p,) and the negative ones (p, N) of a block, -inf where one does not count: the summed loss
and its gradient (p,) by the positives. The gradient by the negatives takes their place, in the same memory."""


class _Blockwise(torch.autograd.Function):
    """Σ loss over the blocks; the gradient is formed in the same pass."""

    @staticmethod
    def forward(ctx: Any, loss: LogitLoss, hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor) -> Tensor:
        grad_hidden, grad_items = torch.empty_like(hidden), torch.zeros_like(items)
        total = hidden.new_zeros(())
        with loss_precision():
            for block, drawn in enumerate(negatives):
                part = slice(block * BLOCK, (block + 1) * BLOCK)
                rows, wanted, others = hidden[part], items[target[part]], items[drawn]
                minus = (rows @ others.T).masked_fill_(target[part, None] == drawn, -torch.inf)
                value, grad_plus = loss((rows * wanted).sum(dim=1), minus)
                total += value
                grad_hidden[part] = torch.addmm(grad_plus[:, None] * wanted, minus, others)
                grad_items.index_add_(0, drawn, minus.T @ rows)
                grad_items.index_add_(0, target[part], grad_plus[:, None] * rows)
        ctx.save_for_backward(grad_hidden, grad_items)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(formed * grads[0] for formed in ctx.saved_tensors), None, None


def sum_over_positions(loss: LogitLoss, hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor) -> Tensor:
    """Return the sum over positions of a loss of logits; a negative that is a position's target does not count there.

    The products round what they multiply, see `loss_precision`; all the rest is in fp32, under mixed precision too.

    Args:
        loss: see `LogitLoss`.
        hidden: (P, D) user vectors.
        items: (I, D) item vectors.
        target: (P,) item indices.
        negatives: (⌈P / BLOCK⌉, N) item indices, a row for each block of positions.

    Returns:
        a scalar.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        total: Tensor = _Blockwise.apply(loss, hidden.float(), items.float(), target, negatives)
    return total


def draw_negatives(n_positions: int, n_negatives: int, n_items: int, device: torch.device) -> Tensor:
    """Draw distinct items for each block of positions, uniformly.

    The blocks take turns at one random order of the items, so that in a step all come up equally often, give or take
    one.

    Args:
        n_positions: P.
        n_negatives: N; all items where there are fewer.
        n_items: I, padding included.
        device: of the result.

    Returns:
        (⌈P / BLOCK⌉, min(N, I - 1)) int64, items in 1 .. I - 1.
    """
    order = 1 + torch.randperm(n_items - 1, device=device)
    count = min(n_negatives, n_items - 1)
    first = torch.arange(-(-n_positions // BLOCK), device=device) * count
    place: Tensor = (first[:, None] + torch.arange(count, device=device)) % (n_items - 1)
    return order[place]
