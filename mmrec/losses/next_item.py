r"""L_rec of eq. 18: cross-entropy of the next item over the whole catalogue.

L = -1/P Σ log softmax(E h)_target = 1/P Σ (log Σ_j exp(h·e_j) - h·e_target)
"""

from __future__ import annotations

from torch import Tensor

from mmrec.nn.kernels.cross_entropy import chunked_cross_entropy


def next_item_cross_entropy(hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of the next item over all items except padding.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.

    Returns:
        the mean over P, a scalar.
    """
    return chunked_cross_entropy(hidden, items[1:], target - 1)
