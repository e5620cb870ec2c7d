"""Dynamic interest: a causal Transformer over the sequence of item vectors (paper, section 3.3.1, eq. 7-8).

The paper names a Transformer and cites SASRec (Kang and McAuley, ICDM 2018). Sequences are padded on the right and
attention is causal, so no position ever attends to padding and no mask tensor is needed.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.nn.causal_encoder import CausalEncoder, pick
from mmrec.nn.dropout import Dropout


class Attention(nn.Module):
    """Causal multi-head self-attention.

    Args:
        dim: D.
        heads: number of heads; divides D.
        dropout: on the attention weights.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, position: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to (B, L, D), or to (B, 1, D) for one position (B,) of each row alone."""
        seen = None
        if position is None:
            q, k, v = self._heads(self.qkv(x), 3)
        else:
            sizes = [x.shape[2], 2 * x.shape[2]]
            (of_q, of_kv), (bias_of_q, bias_of_kv) = self.qkv.weight.split(sizes), self.qkv.bias.split(sizes)
            (q,) = self._heads(F.linear(pick(x, position)[:, None], of_q, bias_of_q), 1)
            k, v = self._heads(F.linear(x, of_kv, bias_of_kv), 2)
            seen = (torch.arange(x.shape[1], device=x.device) <= position[:, None])[:, None, None]
        with torch.autocast("cpu", enabled=False):  # on a CPU the kernel for bf16 is the slower one
            attended = self._attend(q, k, v, seen)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor, parts: int) -> Tensor:
        """Take (B, L, parts · D) apart into (parts, B, H, L, D / H)."""
        x = x.float() if x.device.type == "cpu" else x
        apart: Tensor = x.unflatten(2, (parts, self.heads, -1))
        return apart.permute(2, 0, 3, 1, 4)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Tensor:
        """Attend to the keys that are seen, (B, 1, 1, L) bool, or causally."""
        dropout = self.dropout.p if self.training else 0.0
        if dropout == 0 or seen is not None or q.device.type != "cpu":
            return F.scaled_dot_product_attention(q, k, v, seen, dropout, is_causal=seen is None)
        # PyTorch has no fused kernel with dropout for a CPU, and its plain one draws slowly.
        future = q.new_full((q.shape[2], q.shape[2]), -torch.inf).triu_(1)
        weights = torch.softmax(q * q.shape[3] ** -0.5 @ k.transpose(2, 3) + future, dim=3)
        attended: Tensor = self.dropout(weights) @ v
        return attended


class Block(nn.Module):
    """A pre-norm Transformer block: attention, then a two-layer network on each position.

    Args:
        dim: D.
        ffn_dim: width of the network on each position.
        heads: attention heads.
        dropout: on the output of both parts.
        attention_dropout: on the attention weights.
    """

    def __init__(self, dim: int, ffn_dim: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, attention_dropout)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, ffn_dim), nn.GELU(), nn.Linear(ffn_dim, dim))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, position: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to (B, L, D), or to (B, 1, D) for one position (B,) of each row alone."""
        attended = self.attention(self.attention_norm(x), position)
        x = (x if position is None else pick(x, position)[:, None]) + self.dropout(attended)
        out: Tensor = x + self.dropout(self.mlp(self.mlp_norm(x)))
        return out


class SequenceEncoder(CausalEncoder):
    """U^d = Transformer(S') of eq. 7; the last state of a prefix is u^d of eq. 8, and every position is a prefix.

    Args:
        dim: D.
        max_length: the longest window L.
        layers: Transformer blocks.
        heads: attention heads; must divide D.
        ffn_dim: width of the network on each position.
        dropout: on the input and in the blocks.
        attention_dropout: on the attention weights.
    """

    tokens_at_once: ClassVar[int | None] = 6400  # x D of 64 in fp32: 1.6 MB, what two cores' caches hold

    def __init__(
        self,
        dim: int,
        max_length: int,
        layers: int,
        heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.scale = dim**0.5
        self.position = nn.Embedding(max_length, dim)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, ffn_dim, heads, dropout, attention_dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Encode right-padded sequences of item vectors (B, L, D) into hidden states (B, L, D)."""
        x = self._read(x)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out

    def one_of_each(self, x: Tensor, position: Tensor) -> Tensor:
        """Return the states (B, D) at one position (B,) of each row; the last block computes no others."""
        x = self._read(x)
        for block in self.blocks[:-1]:
            x = block(x)
        state: Tensor = self.blocks[-1](x, position).squeeze(1) if self.blocks else pick(x, position)
        out: Tensor = self.norm(state)
        return out

    def _read(self, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        out: Tensor = self.dropout(x * self.scale + self.position(positions))
        return out
