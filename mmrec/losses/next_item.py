r"""L_rec of eq. 18: cross-entropy of the next item over the whole catalogue.

L = -1/P Σ log softmax(E h)_target = 1/P Σ (log Σ_j exp(h·e_j) - h·e_target)
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.nn.kernels.cross_entropy import chunked_cross_entropy


def next_item_cross_entropy(hidden: Tensor, items: Tensor, target: Tensor, among: Tensor | None = None) -> Tensor:
    """Return the cross-entropy of the next item over all items except padding, or over some items.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.
        among: (J,) int64, ascending, the items j of the sum, all targets included; None for all items.

    Returns:
        the mean over P, a scalar.
    """
    if among is None:
        return chunked_cross_entropy(hidden, items[1:], target - 1)
    return chunked_cross_entropy(hidden, items[among], torch.searchsorted(among, target))
