r"""Binary cross-entropy with one negative, the loss of the original SASRec (Kang and McAuley, ICDM 2018, eq. 6).

    L = -log σ(s⁺) - log(1 - σ(s⁻))

It is offered because the literature compares with it; the other losses rank far better.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.batch import PAD
from mmrec.nn.kernels.lookup import look_up


def binary_cross_entropy(hidden: Tensor, items: Tensor, target: Tensor, negative: Tensor) -> Tensor:
    """Return the binary cross-entropy of the next item against one negative per position.

    It is in fp32 under mixed precision too.

    Args:
        hidden: (P, D) user vectors at the positions that have a target.
        items: (I, D) item vectors, row 0 padding.
        target: (P,) item indices in 1 .. I - 1.
        negative: (P,) item indices; PAD for a position without a negative, which has only the positive term.

    Returns:
        the mean over P, a scalar.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        hidden, items = hidden.float(), items.float()
        plus = F.softplus(-(hidden * look_up(target, items)).sum(dim=1))  # -log σ(s)
        minus = F.softplus((hidden * look_up(negative, items)).sum(dim=1))  # -log(1 - σ(s))
    return (plus.sum() + minus[negative != PAD].sum()) / len(target)
