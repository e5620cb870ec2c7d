"""Dropout whose mask is cheap to draw on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.errors import require

LEVELS = 2**16  # a mask decision uses 16 random bits, so p is exact to 1 / 65,536


class Dropout(nn.Module):
    """Dropout: zero each element with probability p and scale the others by 1 / (1 - p), in training only.

    Args:
        p: probability, in [0, 1).

    Raises:
        InvalidArgument: p is outside its range.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        require(0 <= p < 1, "p", p, "at least 0 and below 1")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        return drop(x, self.p) if self.training else x


def drop(x: Tensor, p: float) -> Tensor:
    """Return x with each element zeroed with probability p and the others scaled by 1 / (1 - p).

    On a CPU, PyTorch draws one Bernoulli number per element, one after the other, which takes up to a fifth of a
    training step. Here 64 random bits decide four elements, drawn by NumPy, whose generator is several times faster.
    PyTorch draws the seed of that generator, so its seed alone decides the mask. On other devices this is PyTorch's
    own dropout.
    """
    if p == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    count = x.numel()
    draw = np.random.Generator(np.random.SFC64(int(torch.randint(2**63 - 1, ()))))
    bits = torch.from_numpy(draw.integers(0, 2**64, -(-count // 4), dtype=np.uint64).view(np.int16))
    threshold = round(p * LEVELS) - LEVELS // 2
    kept = torch.ge(bits[:count].view(x.shape), threshold, out=torch.empty(x.shape, dtype=x.dtype))
    return x * kept.mul_(LEVELS / (LEVELS - round(p * LEVELS)))
