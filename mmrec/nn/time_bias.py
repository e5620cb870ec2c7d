r"""Attention that knows how long ago something was: a learned number for each time gap.

    b_h(i, j) = w_h[bucket(1 + τ_i - t_j)]

is added to the logit of head h between the query at place i and the key at place j, with two buckets for each doubling:
[1, 1.5), [1.5, 2), [2, 3), [3, 4), [4, 6) and so on, in seconds. t_j is when item j was chosen, and
τ_i when the item after place i is asked for: the time of the question, which a system that answers it knows, as HSTU
has it (Zhai et al., ICML 2024; TiSASRec: Li et al., WSDM 2020, takes t_i instead). A model with it is *time-aware* and
is compared with others of its kind.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmrec.batch import Clock

BUCKETS = 63  # up to 2^31 s, 68 years
MANTISSA_BITS = 23  # of an fp32


def gap_buckets(clock: Clock) -> Tensor:
    """Return the bucket of the gap between each query (second axis) and key (third), (B, L, L) int64.

    A gap below zero, as clocks that are off make it, counts as none.
    """
    first = clock.item_time[:, :1]  # from there an int32 holds the 68 years
    chosen, asked = ((times - first).clamp(max=2**31 - 1).int() for times in clock)
    gap = (asked[:, :, None] - chosen[:, None, :]).clamp_(min=0)
    # An fp32 is its exponent, then its mantissa: the exponent and the first bit after it count half doublings.
    bits = gap.float().add_(1.0).view(torch.int32) >> (MANTISSA_BITS - 1)
    return bits.sub_(2 * 127).long()


class _Lookup(torch.autograd.Function):
    """table[index] whose gradient is a histogram: the table is tiny and the index is not."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return table[index]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        grad = torch.bincount(index.flatten(), grads[0].flatten(), minlength=BUCKETS)
        return grad.to(grads[0].dtype), None


class TimeBias(nn.Module):
    """w of all heads, starting at zero.

    Args:
        heads: H.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads, BUCKETS))

    def forward(self, buckets: Tensor) -> Tensor:
        """Map buckets (B, L, L) to biases (B, H, L, L)."""
        return torch.stack([_Lookup.apply(of_head, buckets) for of_head in self.weight], dim=1)
