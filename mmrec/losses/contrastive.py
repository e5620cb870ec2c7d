r"""MM-EF-CL: the contrastive losses (paper, section 3.4, eq. 13-15).

All three are one InfoNCE over cosine similarities s,

    L = -log exp(s⁺/τ) / (exp(s⁺/τ) + Σ⁻ exp(s⁻/τ)),

with u and its next item (13), two consecutive items of a user (14), or the text and the image of one item (15) as the
positive pair. The paper prints the sum over negatives alone below the line; that is `decoupled`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

SHORTEST = 1e-12  # a vector below is taken for zero, as in `torch.nn.functional.normalize`


class _Unit(torch.autograd.Function):
    """v / |v|, whose gradient is (g - y (y·g)) / |v|: seven operations, of which autograd's own rule makes 17."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_(min=SHORTEST)
        scaled: Tensor = vectors / length
        ctx.save_for_backward(scaled, length)
        return scaled

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,), (scaled, length) = grads, ctx.saved_tensors
        along = (scaled * grad).sum(dim=-1, keepdim=True)
        return torch.addcmul(grad, scaled, along, value=-1).div_(length)


def unit(vectors: Tensor) -> Tensor:
    """Scale vectors (..., D) to length 1, in fp32; zero stays zero."""
    scaled: Tensor = _Unit.apply(vectors.float())
    return scaled


def cosines(anchors: Tensor, candidates: Tensor) -> Tensor:
    """Return the similarities (B, C) of anchors to their candidates.

    They are in fp32 under mixed precision too: τ magnifies what half precision rounds off.

    Args:
        anchors: (B, D), of length 1.
        candidates: (B, C, D), of length 1, or (C, D) where all anchors share them.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        if candidates.dim() == 2:
            return anchors @ candidates.T
        return torch.einsum("bd,bcd->bc", anchors, candidates)


def info_nce(
    similarity: Tensor, positive: Tensor, negative: Tensor, temperature: float, decoupled: bool = False
) -> Tensor:
    """Contrast the positive of each anchor with its negatives.

    Args:
        similarity: (B, C), cosines of the anchors to their candidates.
        positive: (B,) int64, which candidate is an anchor's positive.
        negative: (B, C) bool, which ones are its negatives; False for the positive, and for what must not count because
            the user knows it.
        temperature: τ.
        decoupled: leave the positive out of the denominator, as eq. 13-15 print it.

    Returns:
        the mean over anchors with at least one negative, a scalar; zero if there is none.
    """
    usable, column = negative.any(dim=1), positive[:, None]
    logits = similarity / temperature
    # Of an anchor without negatives the positive alone stands below the line, decoupled or not: its loss is zero.
    if decoupled:
        below = negative.scatter(1, column, ~usable[:, None])
        plus = logits.gather(1, column).squeeze(1)
        total = (logits.masked_fill(~below, -torch.inf).logsumexp(dim=1) - plus).sum()
    else:
        below = negative.scatter(1, column, True)
        total = F.cross_entropy(logits.masked_fill(~below, -torch.inf), positive, reduction="sum")
    return total / usable.sum().clamp(min=1)


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
    own = torch.arange(len(text), device=text.device)
    others = (counted & counted[:, None]).fill_diagonal_(False)
    return info_nce(cosines(unit(text), unit(image)), own, others, temperature, decoupled)
