"""Sequences with some items replaced by retrieved neighbours (paper, section 3.2, eq. 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.batch import PAD


def replace_with_neighbours(items: Tensor, neighbours: Tensor, prob: float) -> Tensor:
    """Replace each item with probability p by one of its neighbours, drawn uniformly.

    Args:
        items: (B, L) int64, PAD where empty; PAD stays.
        neighbours: (I, K) int64, see `nearest_neighbours`.
        prob: p of eq. 6.

    Returns:
        S' of eq. 6, (B, L) int64. Targets are never touched, and evaluation never augments.
    """
    drawn = torch.randint(neighbours.shape[1], items.shape, device=items.device)
    chosen = (torch.rand(items.shape, device=items.device) < prob) & (items != PAD)
    return torch.where(chosen, neighbours[items, drawn], items)
