r"""MM-EF-CL: the contrastive losses (paper, section 3.4, eq. 13-15).

All three are one InfoNCE over cosine similarities s,

    L = -log exp(s⁺/τ) / (exp(s⁺/τ) + Σ⁻ exp(s⁻/τ)),

with u and its next item (13), two consecutive items of a user (14), or the text and the image of one item (15) as the
positive pair. The paper prints the sum over negatives alone below the line; that is `decoupled`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def unit(vectors: Tensor) -> Tensor:
    """Scale vectors (..., D) to length 1, in fp32; zero stays zero."""
    return F.normalize(vectors.float(), dim=-1)


def info_nce(
    anchor: Tensor, positive: Tensor, negatives: Tensor, allowed: Tensor, temperature: float, decoupled: bool = False
) -> Tensor:
    """Contrast anchors with their positives against negatives, by cosine.

    All vectors have length 1 or are zero (`unit`), so that a vector that comes up in several places is scaled once.

    Args:
        anchor: (B, D).
        positive: (B, D).
        negatives: (B, N, D), or (N, D) shared by all anchors.
        allowed: (B, N) bool, False where a negative must not count (the user knows it, or it is the positive).
        temperature: τ.
        decoupled: leave the positive out of the denominator, as eq. 13-15 print it.

    Returns:
        the mean over anchors with at least one allowed negative, a scalar; zero if there is none.
    """
    plus = (anchor * positive).sum(-1) / temperature
    with torch.autocast(anchor.device.type, enabled=False):  # τ magnifies what half precision rounds off
        similarity = anchor @ negatives.T if negatives.dim() == 2 else torch.einsum("bd,bnd->bn", anchor, negatives)
    usable = allowed.any(dim=1)
    # A row of nothing but -inf has no finite gradient: such rows keep all negatives and count for nothing.
    minus = (similarity / temperature).masked_fill(~allowed & usable[:, None], -torch.inf)
    if decoupled:
        loss = minus.logsumexp(dim=1) - plus
    else:
        first = torch.zeros(len(plus), dtype=torch.int64, device=plus.device)
        loss = F.cross_entropy(torch.cat([plus[:, None], minus], dim=1), first, reduction="none")
    return (loss * usable).sum() / usable.sum().clamp(min=1)


def cross_modal(text: Tensor, image: Tensor, counted: Tensor, temperature: float, decoupled: bool = False) -> Tensor:
    """L_mm of eq. 15: text to image, the images of the other items of the batch are the negatives.

    Args:
        text: (B, D), v̂_t of some items.
        image: (B, D), v̂_m of the same items.
        counted: (B,) bool, which of them take part: an item once, and with both modalities.
        temperature: τ.
        decoupled: see `info_nce`.

    Returns:
        a scalar; zero for fewer than two items that count.
    """
    text, image = unit(text), unit(image)
    others = ~torch.eye(len(text), dtype=torch.bool, device=text.device)
    return info_nce(text, image, image, others & counted & counted[:, None], temperature, decoupled)
