"""Dynamic interest: a causal Transformer over the sequence of item vectors (paper, section 3.3.1, eq. 7-8).

The paper names a Transformer and cites SASRec (Kang and McAuley, ICDM 2018). Sequences are padded on the right and
attention is causal, so no position ever attends to padding and no mask tensor is needed.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.nn.causal_encoder import CausalEncoder
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
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D)."""
        batch, length, dim = x.shape
        qkv = self.qkv(x)
        if x.device.type == "cpu":
            qkv = qkv.float()  # under mixed precision too: on a CPU the kernel for bf16 is the slower one
        q, k, v = qkv.view(batch, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        with torch.autocast("cpu", enabled=False):
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        out: Tensor = self.out(y.transpose(1, 2).reshape(batch, length, dim))
        return out


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

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D)."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
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

    tokens_at_once: ClassVar[int | None] = 3200  # x D of 64 in fp32: 0.8 MB, so that a layer's input and output fit L2

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
        positions = torch.arange(x.shape[1], device=x.device)
        x = self.dropout(x * self.scale + self.position(positions))
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out
