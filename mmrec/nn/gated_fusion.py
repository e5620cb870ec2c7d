r"""The gate that joins dynamic and static interest (paper, section 3.3.3, eq. 11-12).

    g = σ(W_g [u^d; u^s] + b_g)                                     (11)
    u = g ⊙ u^d + (1 - g) ⊙ u^s                                     (12)

Eq. 11 prints no bias, the text below it names b_g: it is there. u^d leaves its Transformer through a layer norm; u^s is
a mean of many vectors and shrinks with their number, so it is brought to the same scale by a layer norm of its own.
Without it no gate can make up for the factor of some hundred between the two.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedFusion(nn.Module):
    """Element-wise gate between two interests.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.static_norm = nn.LayerNorm(dim)
        self.linear = nn.Linear(2 * dim, dim)

    def forward(self, dynamic: Tensor, static: Tensor) -> tuple[Tensor, Tensor]:
        """Join (..., D) and (..., D) into u (..., D); also return the gate g (..., D)."""
        static = self.static_norm(static)
        gate = torch.sigmoid(self.linear(torch.cat([dynamic, static], dim=-1)))
        return torch.lerp(static, dynamic, gate), gate
