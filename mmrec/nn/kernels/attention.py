"""Multi-head attention in the fastest form for the device, and its plain form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.dropout import drop

QUERIES = 100  # queries per block on a CPU; smaller blocks save less than their own calls cost


def attend(
    q: Tensor, k: Tensor, v: Tensor, *, seen: Tensor | None = None, bias: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Return softmax(q kᵀ / √d + bias) v over the keys that a query may see; `plain_attention` with dropout.

    PyTorch's fused kernel is used wherever it is fast. On a CPU it has no dropout, and it has no bias that learns; its
    unfused form is slow.

    Args:
        q: (B, H, Q, d) queries.
        k: (B, H, L, d) keys.
        v: (B, H, L, d) values.
        seen: (B, 1, 1, L) bool, the keys that the queries of a row may see; None for causal attention, where Q is L.
        bias: (B, H, Q, L), added to the logits.
        dropout: probability with which an attention weight is dropped.

    Returns:
        (B, H, Q, d).
    """
    if bias is None and (dropout == 0 or seen is not None or q.device.type != "cpu"):
        return F.scaled_dot_product_attention(q, k, v, seen, dropout, is_causal=seen is None)
    q = q * q.shape[3] ** -0.5
    if seen is None:
        return _attend_in_blocks(q, k, v, bias, dropout)
    assert bias is not None  # without a bias the fused kernel has returned
    logits = (q @ k.transpose(2, 3) + bias).masked_fill(~seen, -torch.inf)
    return drop(torch.softmax(logits, dim=3), dropout) @ v


def plain_attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Return softmax(q kᵀ / √d + bias) v with one full matrix of logits; the arguments are those of `attend`."""
    logits = q @ k.transpose(2, 3) * q.shape[3] ** -0.5
    if bias is not None:
        logits = logits + bias
    if seen is None:
        seen = torch.ones(logits.shape[2:], dtype=torch.bool, device=q.device).tril()
    return torch.softmax(logits.masked_fill(~seen, -torch.inf), dim=3) @ v


def _attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """Return causal attention of scaled queries, block by block of queries.

    A block computes only the logits up to its own last key. With two blocks a quarter of the logits is never computed.
    """
    length = q.shape[2]
    blocks = -(-length // QUERIES) if q.device.type == "cpu" else 1
    size = -(-length // blocks)
    attended = []
    for start in range(0, length, size):
        end = min(start + size, length)
        logits = q[:, :, start:end] @ k[:, :, :end].transpose(2, 3)
        if bias is not None:
            logits = logits + bias[:, :, start:end, :end]
        logits[..., start:].add_(q.new_full((end - start, end - start), -torch.inf).triu_(1))
        attended.append(drop(torch.softmax(logits, dim=3), dropout) @ v[:, :, :end])
    return torch.cat(attended, dim=2)
