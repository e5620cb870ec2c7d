"""Vectors scaled to length 1, with their own gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SHORTEST = 1e-12  # shorter vectors count as zero, as in `torch.nn.functional.normalize`


def unit(vectors: Tensor) -> Tensor:
    """Return vectors (..., D) scaled to length 1, in fp32, as `normalize` does; a zero vector stays zero."""
    scaled: Tensor = _Unit.apply(vectors.float())
    return scaled


class _Unit(torch.autograd.Function):
    """y = v / |v| with the gradient (g - y (y·g)) / |v|: seven operations instead of the 17 of autograd's own rule."""

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
