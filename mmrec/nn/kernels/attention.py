"""Multi-head attention in the fastest form for the device, and its plain form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.nn.kernels.dropout import drop

QUERIES = 100  # queries per block on a CPU; smaller blocks save less than their own calls cost


def attend(q: Tensor, k: Tensor, v: Tensor, *, bias: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """Return softmax(q kᵀ / √d + bias) v over the keys up to each query; `plain_attention` with dropout.

    PyTorch's fused kernel is used wherever it is fast. On a CPU it has no dropout, and it has no bias that learns; its
    unfused form is slow.

    Args:
        q: (B, H, L, d) queries.
        k: (B, H, L, d) keys.
        v: (B, H, L, d) values.
        bias: (B, H, L, L), added to the logits.
        dropout: probability with which an attention weight is dropped.

    Returns:
        (B, H, L, d).
    """
    if bias is None and (dropout == 0 or q.device.type != "cpu"):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
    return _attend_in_blocks(q * q.shape[3] ** -0.5, k, v, bias, dropout)


def attend_once(
    q: Tensor,
    x: Tensor,
    key: Tensor,
    value: tuple[Tensor, Tensor],
    seen: Tensor,
    *,
    bias: Tensor | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Return the attention of one query per row, as `plain_attention` of the keys x Kᵀ and the values x Vᵀ + b.

    Neither keys nor values are formed: q · (K x) is (q K) · x, and Σ p (V x + b) is V Σ p x + b Σ p. A bias of the keys
    adds the same number to all logits of a query and has no effect.

    Args:
        q: (B, H, d) queries.
        x: (B, L, D) what keys and values are projected from.
        key: K, (H, d, D).
        value: V and b, (H, d, D) and (H, d).
        seen: (B, L) bool, the positions that the query of a row may see.
        bias: (B, H, L), added to the logits.
        dropout: probability with which an attention weight is dropped.

    Returns:
        (B, H, d).
    """
    logits = torch.einsum("bhd,hdi->bhi", q * q.shape[2] ** -0.5, key) @ x.transpose(1, 2)
    if bias is not None:
        logits = logits + bias
    weights = drop(torch.softmax(logits.masked_fill(~seen[:, None], -torch.inf), dim=2), dropout)
    return torch.einsum("bhi,hdi->bhd", weights @ x, value[0]) + weights.sum(dim=2, keepdim=True) * value[1]


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
