r"""Cross-entropy of the next item against a uniform sample, for catalogues that are too large for the full one.

    L = -1/P Σ log exp(s⁺) / (exp(s⁺) + Σ⁻ exp(s⁻))

Klenitskiy and Vasilev (RecSys 2023) train SASRec this way, with 3,000 negatives per user. The correction of the logits
by the logarithm of the sampling probability would be one constant for all negatives, because the sample is uniform;
like them, we leave it out.
"""

from __future__ import annotations

from torch import Tensor

from mmrec.nn.kernels.candidate_blocks import blocked_softmax


def sampled_softmax(hidden: Tensor, items: Tensor, target: Tensor, negatives: Tensor) -> Tensor:
    """Return the cross-entropy of the next item over itself and the negatives.

    With every item among the negatives it is `next_item_cross_entropy`.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.
        negatives: (⌈P / BLOCK⌉, N) item indices in 1 .. I - 1, see `draw_negatives`; a negative that is a position's
            target does not count there.

    Returns:
        the mean over P, a scalar.
    """
    return blocked_softmax(hidden, items, target, negatives) / len(target)
