"""Sequences in which some items are replaced by retrieved neighbours (paper, section 3.2, eq. 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.batch import PAD


def replace_with_neighbours(items: Tensor, neighbours: Tensor, prob: float) -> Tensor:
    """Return S' of eq. 6, (B, L) int64: each item is replaced with probability p by a uniformly drawn neighbour.

    Targets are never replaced, and sequences are not augmented in evaluation.

    Args:
        items: (B, L) int64, windows; PAD is not replaced.
        neighbours: (I, K) int64, see `nearest_neighbours`.
        prob: p of eq. 6.
    """
    drawn = torch.randint(neighbours.shape[1], items.shape, device=items.device)
    chosen = (torch.rand(items.shape, device=items.device) < prob) & (items != PAD)
    return torch.where(chosen, neighbours[items, drawn], items)
