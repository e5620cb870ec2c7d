r"""The gate that joins dynamic and static interest (paper, section 3.3.3, eq. 11-12).

    g = σ(W_g [u^d; u^s] + b_g)                                     (11)
    u = g ⊙ u^d + (1 - g) ⊙ u^s                                     (12)

Eq. 11 is printed without a bias, but the text below it names b_g; we keep it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedFusion(nn.Module):
    """Element-wise gate between dynamic and static interest.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * dim, dim)

    def forward(self, dynamic: Tensor, static: Tensor) -> tuple[Tensor, Tensor]:
        """Join (..., D) and (..., D) into u (..., D); also return the gate g (..., D)."""
        gate = torch.sigmoid(self.linear(torch.cat([dynamic, static], dim=-1)))
        # Eq. 12; under autocast the gate has half precision.
        return torch.lerp(static, dynamic, gate.to(static.dtype)), gate
