"""Dropout whose mask costs little on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 2**16  # a mask decision takes 16 random bits, so p is exact to 1 / 65,536


class Dropout(nn.Module):
    """Zero each element with probability p and scale the rest by 1 / (1 - p).

    PyTorch draws one Bernoulli number an element, one after the other on a CPU, where that takes up to a fifth of a
    training step. Here 64 random bits decide four elements, drawn by NumPy, whose generator is several times as fast;
    its seed is drawn by PyTorch, which decides all. On other devices this is PyTorch's own dropout.

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
        draw = np.random.Generator(np.random.SFC64(int(torch.randint(2**63 - 1, ()))))
        bits = torch.from_numpy(draw.integers(0, 2**64, -(-count // 4), dtype=np.uint64).view(np.int16))
        threshold = round(self.p * LEVELS) - LEVELS // 2
        kept = torch.ge(bits[:count].view(x.shape), threshold, out=torch.empty(x.shape, dtype=x.dtype))
        return x * kept.mul_(LEVELS / (LEVELS - round(self.p * LEVELS)))
