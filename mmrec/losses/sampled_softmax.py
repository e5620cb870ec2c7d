"""Cross-entropy of the next item against a uniform sample of the catalogue, for catalogues too large for all of it.

Klenitskiy and Vasilev (RecSys 2023) train SASRec so, with 3,000 negatives for each user. The sample being uniform, the
correction of the logits by the log of its probability would be one constant for all negatives; like them, we leave it
out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.nn.kernels.candidate_blocks import sum_over_positions


def sampled_softmax(hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor) -> Tensor:
    """Cross-entropy of the next item over itself and the negatives.

    With every item among the negatives it is `next_item_cross_entropy`.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.
        negatives: (⌈P / BLOCK⌉, N) item indices in 1 .. I - 1, see `draw_negatives`; where one is a position's own
            target it does not count.

    Returns:
        the mean over P, a scalar.
    """
    return sum_over_positions(_softmax, hidden, items, target, negatives) / len(target)


def _softmax(plus: Tensor, minus: Tensor) -> tuple[Tensor, Tensor]:
    largest = torch.maximum(plus, minus.amax(dim=1))
    wanted = (plus - largest).exp()
    total = minus.sub_(largest[:, None]).exp_().sum(dim=1) + wanted
    minus.div_(total[:, None])
    return (total.log() + largest - plus).sum(), wanted / total - 1
