r"""Attention that uses the time between interactions: a learned bias for each time gap.

    b_h(i, j) = w_h[bucket(1 + τ_i - t_j)]

is added to the logit of head h between the query at position i and the key at position j. There are two buckets per
doubling of the gap in seconds: [1, 1.5), [1.5, 2), [2, 3), [3, 4), [4, 6) and so on. t_j is the time of item j, and
τ_i the time at which the item after position i is predicted. A system knows that time when it makes the prediction;
HSTU uses it too (Zhai et al., ICML 2024), while TiSASRec uses t_i (Li et al., WSDM 2020). A model with this bias is
*time-aware*, and is compared with other time-aware models.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.batch import Clock
from mmrec.nn.kernels.lookup import look_up_scalars

BUCKETS = 63  # up to 2^31 s, 68 years
MANTISSA_BITS = 23  # bits of the mantissa of an fp32


class TimeBias(nn.Module):
    """The learned biases w of all heads, zero at the start of training.

    Args:
        heads: H, number of attention heads.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads, BUCKETS))

    def forward(self, buckets: Tensor) -> Tensor:
        """Map buckets (B, L, L) to biases (B, H, L, L)."""
        return torch.stack([look_up_scalars(buckets, of_head) for of_head in self.weight], dim=1)


def gap_buckets(clock: Clock) -> Tensor:
    """Return the bucket of the time gap between each query (second axis) and key (third axis), (B, L, L) int64.

    A negative gap, which wrong clocks produce, counts as zero.
    """
    first = clock.item_time[:, :1]  # relative to it, an int32 holds 68 years
    item_time, query_time = ((times - first).clamp(max=2**31 - 1).int() for times in clock)
    gap = (query_time[:, :, None] - item_time[:, None, :]).clamp_(min=0)
    if torch.compiler.is_exporting():  # ONNX has no view of a number's bits
        return _edges_passed(gap.float() + 1.0)
    # An fp32 is its exponent followed by its mantissa: the exponent and the first bit of the mantissa count half
    # doublings.
    bits = gap.float().add_(1.0).view(torch.int32) >> (MANTISSA_BITS - 1)
    return bits.sub_(2 * 127).long()


def _edges_passed(gap: Tensor) -> Tensor:
    """Return the bucket of gaps of at least 1, by comparing each with the first value of every bucket."""
    number = torch.arange(BUCKETS, device=gap.device)
    edges = 2.0 ** (number // 2) * (1.0 + 0.5 * (number % 2))
    return (gap[..., None] >= edges).sum(dim=-1) - 1
