"""Losses over a positive and N negatives per position that never hold all logits.

Positions are cut into blocks, and the positions of a block share their negatives. The logits of a block are then one
matrix product, and no other logits are held at the same time. Blocks are small against a batch: with one set of
negatives for a whole batch, a step pushes few items away and training needs several times as many steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.precision import loss_precision

BLOCK = 128  # positions that share their negatives
LARGE = 2**20  # items from which on no order of all of them is drawn

LogitLoss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A loss of the positive logits (p,) and the negative logits (p, N) of a block, -inf for negatives that do not count.

It returns the sum over positions and the gradient (p,) of the positive logits. It writes the gradient of the negative
logits over these logits, in the same memory.
"""


def blocked_softmax(hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor) -> Tensor:
    """Return Σ -log exp(s⁺) / (exp(s⁺) + Σ⁻ exp(s⁻)) over positions; its arguments: see `sum_over_positions`."""
    return sum_over_positions(_softmax, hidden, items, target, negatives)


def blocked_binary(
    hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor, *, beta: float, base: float
) -> Tensor:
    """Return -Σ (β log σ(s⁺ + b) + Σ⁻ log(1 - σ(s⁻ + b))) over positions.

    Args:
        hidden: (P, D) user vectors.
        items: (I, D) item vectors.
        target: (P,) item indices.
        negatives: (⌈P / BLOCK⌉, N) item indices, one row per block of positions.
        beta: β, the weight of the positive term.
        base: b, added to every score.
    """

    def loss(plus: Tensor, minus: Tensor) -> tuple[Tensor, Tensor]:
        plus, minus = plus.add_(base), minus.add_(base)
        value = beta * F.softplus(-plus).sum() + F.softplus(minus).sum()  # -log σ(s) and -log(1 - σ(s))
        minus.sigmoid_()
        return value, -beta * torch.sigmoid(-plus)

    return sum_over_positions(loss, hidden, items, target, negatives)


def sum_over_positions(loss: LogitLoss, hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor) -> Tensor:
    """Return the sum over positions of a loss of logits; a negative that is a position's target does not count there.

    The products have the precision of `set_loss_precision`; all the rest is in fp32, under mixed precision too.

    Args:
        loss: the loss of a block, see `LogitLoss`.
        hidden: (P, D) user vectors.
        items: (I, D) item vectors.
        target: (P,) item indices.
        negatives: (⌈P / BLOCK⌉, N) item indices, one row per block of positions.

    Returns:
        a scalar.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        total: Tensor = _Blockwise.apply(loss, hidden.float(), items.float(), target, negatives)
    return total


def draw_negatives(n_positions: int, n_negatives: int, n_items: int, device: torch.device) -> Tensor:
    """Draw distinct items for each block of positions, uniformly.

    The blocks go through one random order of the items in turn, so that in a step all items are drawn equally often,
    give or take one. Of more than `LARGE` items a step draws few, and only these are drawn, one by one.

    Args:
        n_positions: P.
        n_negatives: N; all items where there are fewer.
        n_items: I, padding included.
        device: device of the result.

    Returns:
        (⌈P / BLOCK⌉, min(N, I - 1)) int64, items in 1 .. I - 1.
    """
    count = min(n_negatives, n_items - 1)
    blocks = -(-n_positions // BLOCK)
    if n_items > max(LARGE, 8 * blocks * count):
        return _distinct(blocks * count, n_items, device).view(blocks, count)
    order = 1 + torch.randperm(n_items - 1, device=device)
    first = torch.arange(blocks, device=device) * count
    place: Tensor = (first[:, None] + torch.arange(count, device=device)) % (n_items - 1)
    return order[place]


def _distinct(count: int, n_items: int, device: torch.device) -> Tensor:
    """Draw `count` distinct items in 1 .. I - 1, at most an eighth of them: the first ones that are not repetitions."""
    drawn = torch.randint(1, n_items, (count + count // 4 + 64,), device=device)
    ordered, place = drawn.sort(stable=True)
    new = torch.ones_like(drawn, dtype=torch.bool)
    new[place[1:]] = ordered[1:] != ordered[:-1]
    kept = drawn[new]
    return kept[:count] if len(kept) >= count else _distinct(count, n_items, device)


class _Blockwise(torch.autograd.Function):
    """Σ loss over the blocks; the gradient is computed in the same pass."""

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


def _softmax(plus: Tensor, minus: Tensor) -> tuple[Tensor, Tensor]:
    """The `LogitLoss` of `blocked_softmax`."""
    largest = torch.maximum(plus, minus.amax(dim=1))
    wanted = (plus - largest).exp()
    total = minus.sub_(largest[:, None]).exp_().sum(dim=1) + wanted
    minus.div_(total[:, None])
    return (total.log() + largest - plus).sum(), wanted / total - 1
