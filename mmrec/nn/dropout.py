"""Dropout whose mask costs little on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2**16  # a mask decision takes 16 random bits, so p is exact to 1 / 65,536


class Dropout(nn.Module):
    """Zero each element with probability p and scale the rest by 1 / (1 - p).

    PyTorch draws one Bernoulli number an element, one after the other on a CPU, where that takes up to a fifth of a
    training step. Here 64 random bits decide four elements. On other devices this is PyTorch's own dropout.

    Args:
        p: probability, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, but is {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        count = x.numel()
        bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        threshold = round(self.p * LEVELS) - LEVELS // 2
        kept = bits.view(torch.int16)[:count].view(x.shape) >= threshold
        return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - round(self.p * LEVELS)))
