"""Cross-entropy whose logits are adjusted by sparse scores and by fixed rows, and its plain form.

With the softmax q_p of the logits z_p, the gradient ∂L/∂s_pi = (q_pi - 1[i = target]) / P is needed at the sparse
entries alone, and ∂L/∂w = Σ_pi (q_pi - 1[i = target]) r / P.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.cross_entropy import ELEMENTS, LN2, ROWS
from mmrec.nn.kernels.precision import factor_dtype, loss_precision


class Entries(NamedTuple):
    """Scores of some items at some positions; several of one position and item are summed.

    Args:
        row: (n,) int64, ascending, the position 0 .. P - 1.
        item: (n,) int64, item indices in 1 .. I - 1.
        value: (n,) float32, added to the logit; -inf excludes the item.
    """

    row: Tensor
    item: Tensor
    value: Tensor

    def dense(self, rows: int, n_items: int) -> Tensor:
        """Return the entries as a matrix (rows, I)."""
        matrix = self.value.new_zeros(rows * n_items)
        return matrix.index_add(0, self.row * n_items + self.item, self.value).view(rows, n_items)


class Levels(NamedTuple):
    """A score for every item, chosen at each position from a few fixed rows.

    Args:
        table: (T, I) float32, r.
        row: (P,) int64, b: the row of each position.
        weight: scalar, w.
    """

    table: Tensor
    row: Tensor
    weight: Tensor


def blocked_adjusted_cross_entropy(
    hidden: Tensor,
    items: Tensor,
    target: Tensor,
    added: Sequence[Entries],
    excluded: tuple[Tensor, Tensor],
    levels: Levels | None = None,
) -> Tensor:
    """Return the mean cross-entropy as `plain_adjusted_cross_entropy` does, one block of rows at a time.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding, which is excluded.
        target: (P,) item indices in 1 .. I - 1, none of them excluded.
        added: sparse scores, each with a gradient.
        excluded: rows (n,), ascending, and items (n,) in 1 .. I - 1.
        levels: scores from a few fixed rows; None for none.

    Returns:
        a scalar.
    """
    none = Entries(*excluded, excluded[0].new_empty(0))
    flat = [part for group in added for part in group]
    rows = (None, None, None) if levels is None else (levels.table[:, 1:], levels.row, levels.weight)
    with torch.autocast(hidden.device.type, enabled=False):
        loss: Tensor = _AdjustedCrossEntropy.apply(hidden.float(), items[1:].float(), target - 1, none, *rows, *flat)
    return loss


def plain_adjusted_cross_entropy(
    hidden: Tensor,
    items: Tensor,
    target: Tensor,
    added: Sequence[Entries],
    excluded: tuple[Tensor, Tensor],
    levels: Levels | None = None,
) -> Tensor:
    """Return the mean cross-entropy from one full matrix of logits; arguments as above."""
    logits = hidden @ items.T
    for entries in added:
        logits = logits + entries.dense(*logits.shape)
    if levels is not None:
        logits = logits + levels.weight * levels.table[levels.row]
    logits = logits.index_put(excluded, logits.new_tensor(-torch.inf))
    logits[:, 0] = -torch.inf
    return F.cross_entropy(logits, target)


class _AdjustedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy; the gradients are formed in the same pass, in one buffer of logits."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        items: Tensor,
        target: Tensor,
        excluded: Any,
        table: Tensor | None,
        index: Tensor | None,
        weight: Tensor | None,
        *flat: Tensor,
    ) -> Tensor:
        groups = [Entries(*flat[start : start + 3]) for start in range(0, len(flat), 3)]
        width, count = len(items), len(hidden)
        grad_hidden, grad_items = torch.empty_like(hidden), torch.zeros_like(items)
        grad_values = [torch.empty_like(group.value) for group in groups]
        block = max(1, ELEMENTS // width) if hidden.is_cuda else ROWS
        buffer = hidden.new_empty(min(block, count), width)
        loss, grad_weight = hidden.new_zeros(()), hidden.new_zeros(())
        dtype = factor_dtype(hidden.device)
        candidates = items.to(dtype)
        with loss_precision():
            for start in range(0, count, block):
                part = slice(start, min(start + block, count))
                own = hidden[part]
                logits = torch.mm(own / LN2, items.T, out=buffer[: len(own)])
                level = None if table is None or index is None else table[index[part]]
                if level is not None and weight is not None:
                    logits.add_(level, alpha=weight.item() / LN2)
                places = [_places(group, part, width) for group in groups]
                for group, (within, at) in zip(groups, places, strict=True):
                    logits.view(-1).index_add_(0, at, group.value[within] / LN2)
                within, at = _places(excluded, part, width)
                logits.view(-1).index_fill_(0, at, -torch.inf)
                wanted = target[part, None]
                logits -= logits.amax(dim=1, keepdim=True)
                chosen = logits.gather(1, wanted).squeeze(1)
                exponential = logits.exp2_()
                total = exponential.sum(dim=1)
                loss += (total.log() - chosen * LN2).sum()
                if level is not None:
                    mean = (exponential * level).sum(dim=1) / total
                    grad_weight += (mean - level.gather(1, wanted).squeeze(1)).sum()
                for group, grad, (within, at) in zip(groups, grad_values, places, strict=True):
                    row = group.row[within] - start
                    probability = exponential.view(-1)[at] / total[row]
                    grad[within] = probability - (group.item[within] - 1 == target[part][row]).float()
                factor = exponential.to(dtype)
                grad_hidden[part] = (factor @ candidates).float() / total[:, None]
                grad_items += (factor.T @ (own / total[:, None]).to(dtype)).float()
        grad_hidden -= items[target]
        grad_items.index_add_(0, target, hidden, alpha=-1)
        ctx.save_for_backward(grad_hidden, grad_items, grad_weight, *grad_values)
        return loss / count

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_items, grad_weight, *grad_values = ctx.saved_tensors
        scale = grads[0] / len(grad_hidden)
        of_groups = [part for values in grad_values for part in (None, None, values * scale)]
        of_weight = grad_weight * scale if ctx.needs_input_grad[6] else None
        return grad_hidden * scale, grad_items * scale, None, None, None, None, of_weight, *of_groups


def _places(entries: Any, part: slice, width: int) -> tuple[slice, Tensor]:
    """Return which entries belong to a block of rows, and where they are in the flat block; PAD has no column."""
    first, end = torch.searchsorted(entries.row, torch.tensor([part.start, part.stop], device=entries.row.device))
    within = slice(int(first), int(end))
    return within, (entries.row[within] - part.start) * width + entries.item[within] - 1
