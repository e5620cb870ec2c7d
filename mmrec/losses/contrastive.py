r"""MM-EF-CL: the contrastive losses (paper, section 3.4, eq. 13-15).

All three are the same InfoNCE over cosine similarities s,

    L = -log exp(s⁺/τ) / (exp(s⁺/τ) + Σ⁻ exp(s⁻/τ)).

The positive pair is u and its next item (13), two consecutive items of a user (14), or the text and the image of one
item (15). The paper prints only the sum over negatives in the denominator; that is the option `decoupled`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.unit import unit


def cosines(anchors: Tensor, candidates: Tensor) -> Tensor:
    """Return the cosine similarities (B, C) of anchors and their candidates.

    They are in fp32 under mixed precision too, because τ magnifies the rounding errors of half precision.

    Args:
        anchors: (B, D), vectors of length 1.
        candidates: (B, C, D), vectors of length 1; (C, D) if all anchors share them.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        if candidates.dim() == 2:
            return anchors @ candidates.T
        return torch.einsum("bd,bcd->bc", anchors, candidates)


def info_nce(
    similarity: Tensor, positive: Tensor, negative: Tensor, *, temperature: float, decoupled: bool = False
) -> Tensor:
    """Return the InfoNCE loss of the positive of each anchor against its negatives.

    Args:
        similarity: (B, C), cosine similarities of the anchors and their candidates.
        positive: (B,) int64, the column of each anchor's positive.
        negative: (B, C) bool, the candidates that are negatives; False for the positive, and for items that the user
            has interacted with.
        temperature: τ.
        decoupled: whether the positive is left out of the denominator, as eq. 13-15 print it.

    Returns:
        the mean over the anchors that have a negative, a scalar; zero if no anchor has one.
    """
    usable, column = negative.any(dim=1), positive[:, None]
    logits = similarity / temperature
    # Without negatives the denominator is the positive alone, decoupled or not, so that the loss is zero.
    if decoupled:
        below = negative.scatter(1, column, ~usable[:, None])
        plus = logits.gather(1, column).squeeze(1)
        total = (logits.masked_fill(~below, -torch.inf).logsumexp(dim=1) - plus).sum()
    else:
        below = negative.scatter(1, column, True)
        total = F.cross_entropy(logits.masked_fill(~below, -torch.inf), positive, reduction="sum")
    return total / usable.sum().clamp(min=1)


def cross_modal(text: Tensor, image: Tensor, counted: Tensor, *, temperature: float, decoupled: bool = False) -> Tensor:
    """Return L_mm of eq. 15: each text against the images of the batch, its own image being the positive.

    Args:
        text: (B, D), v̂_t of some items.
        image: (B, D), v̂_m of the same items.
        counted: (B,) bool, the rows that count: each item once, and only items with both modalities.
        temperature: τ.
        decoupled: whether the positive is left out of the denominator, see `info_nce`.

    Returns:
        a scalar; zero if fewer than two rows count.
    """
    own = torch.arange(len(text), device=text.device)
    others = (counted & counted[:, None]).fill_diagonal_(False)
    return info_nce(cosines(unit(text), unit(image)), own, others, temperature=temperature, decoupled=decoupled)
