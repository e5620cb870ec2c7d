r"""Bayesian personalised ranking (Rendle et al., UAI 2009) with L2 on the embeddings of the batch.

    L = -1/B Σ log σ(s⁺ - s⁻) + λ/(2B) Σ ‖e‖²

The second sum runs over the ego embeddings e of the users and items of the batch: the embeddings that the optimiser
changes, before a graph propagates them (He et al., SIGIR 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def bpr(user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Return the loss that ranks the positive item above the negative one.

    Args:
        user: (B, D) user vectors.
        positive: (B, D) vectors of the items of the interactions.
        negative: (B, D) vectors of the negative items.

    Returns:
        the mean over B, a scalar, in fp32 under mixed precision too.
    """
    with torch.autocast(user.device.type, enabled=False):
        margin = (user.float() * (positive.float() - negative.float())).sum(dim=1)
    return F.softplus(-margin).mean()  # -log σ(x), without the overflow of its parts


def squared_norm(*rows: Tensor) -> Tensor:
    """Return half the squared length of the embeddings of a pair, averaged over the batch: 1/(2B) Σ ‖e‖².

    Args:
        rows: tensors (B, ...), each the ego embeddings of the users, the positive or the negative items.

    Returns:
        a scalar, in fp32.
    """
    return torch.stack([row.float().square().sum() for row in rows]).sum() / (2 * len(rows[0]))
