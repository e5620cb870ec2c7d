r"""One block of the Transformer of eq. 7: causal self-attention, then a network on each position.

    Attention(Q, K, V) = softmax(Q Kᵀ / √d + B) V,   for each head, over the keys up to the query's own position
    x' = x + Attention(LayerNorm(x)),   x'' = x' + MLP(LayerNorm(x'))

B is the time bias of time-aware models and zero in all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.errors import require, require_choice
from mmrec.nn.kernels.attention import attend, attend_once
from mmrec.nn.kernels.dropout import Dropout
from mmrec.nn.kernels.lookup import pick
from mmrec.nn.time_bias import TimeBias

BlockKind = Literal["plain", "ligr"]


@dataclass(frozen=True, kw_only=True)
class TransformerOptions:
    """The options of a Transformer besides its width and the length of its windows.

    Args:
        layers: number of blocks.
        heads: number of attention heads, a divisor of D.
        ffn_dim: width of the network on each position.
        dropout: dropout on the input and on the output of both parts of a block.
        attention_dropout: dropout on the attention weights.
        block: "plain" or "ligr", see `Block`.
        time_bias: whether attention uses the time gaps, see `TimeBias`.

    Raises:
        InvalidArgument: an option is outside its range.
    """

    layers: int = 2
    heads: int = 1
    ffn_dim: int = 256
    dropout: float = 0.2
    attention_dropout: float = 0.0
    block: BlockKind = "plain"
    time_bias: bool = False

    def __post_init__(self) -> None:
        require(self.layers >= 0, "layers", self.layers, "at least 0")
        for name in ("heads", "ffn_dim"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("dropout", "attention_dropout"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "at least 0 and below 1")
        require_choice("block", self.block, BlockKind)


class Block(nn.Module):
    """A pre-norm Transformer block.

    "plain" adds f(LayerNorm(x)) to x; its network on each position is two layers with a GELU between them. "ligr" adds
    f(LayerNorm(x)) * σ(W x), the gated residuals of LiGR (Borisyuk et al., 2025), with a SwiGLU on each position, as
    in eSASRec (Tikhonovich et al., RecSys 2025); the SwiGLU has two thirds of `ffn_dim`.

    Args:
        dim: D.
        options: the options of the Transformer.
    """

    def __init__(self, dim: int, options: TransformerOptions) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, options)
        self.mlp_norm = nn.LayerNorm(dim)
        gated, ffn_dim = options.block == "ligr", options.ffn_dim
        self.mlp = (
            SwiGLU(dim, 2 * ffn_dim // 3)
            if gated
            else nn.Sequential(nn.Linear(dim, ffn_dim), nn.GELU(), nn.Linear(ffn_dim, dim))
        )
        self.attention_gate = nn.Linear(dim, dim) if gated else None
        self.mlp_gate = nn.Linear(dim, dim) if gated else None
        self.dropout = Dropout(options.dropout)

    def forward(self, x: Tensor, position: Tensor | None = None, buckets: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to (B, L, D), or to (B, 1, D) for one position (B,) of each row; see `Attention`."""
        attended = self.attention(self.attention_norm(x), position, buckets)
        x = self._add(x if position is None else pick(x, position)[:, None], attended, self.attention_gate)
        return self._add(x, self.mlp(self.mlp_norm(x)), self.mlp_gate)

    def _add(self, x: Tensor, part: Tensor, gate: nn.Linear | None) -> Tensor:
        part = self.dropout(part)
        return x + (part if gate is None else part * torch.sigmoid(gate(x)))


class Attention(nn.Module):
    """Causal multi-head self-attention.

    Args:
        dim: D.
        options: the options of the Transformer.
    """

    def __init__(self, dim: int, options: TransformerOptions) -> None:
        super().__init__()
        self.heads = options.heads
        self.time_bias = TimeBias(options.heads) if options.time_bias else None
        self.dropout = options.attention_dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, position: Tensor | None = None, buckets: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to (B, L, D), or to (B, 1, D) for one position (B,) of each row.

        `buckets` (B, L, L) are the time gaps; only time-aware attention needs them.
        """
        bias = None
        if self.time_bias is not None and buckets is not None:
            bias = self.time_bias(buckets if position is None else pick(buckets, position)[:, None])
        attended = self._of_all(x, bias) if position is None else self._of_one(x, position, bias)
        out: Tensor = self.out(attended)
        return out

    def _of_all(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Return the attention of all positions, (B, L, D)."""
        q, k, v = _full(self.qkv(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        with torch.autocast("cpu", enabled=False):  # on a CPU the bf16 kernel is the slower one
            attended = attend(q, k, v, bias=bias, dropout=self._rate)
        return attended.transpose(1, 2).flatten(2)

    def _of_one(self, x: Tensor, position: Tensor, bias: Tensor | None) -> Tensor:
        """Return the attention of one position (B,) of each row, (B, 1, D)."""
        of_q, of_k, of_v = self.qkv.weight.unflatten(0, (3, self.heads, -1))
        bias_of_q, _, bias_of_v = self.qkv.bias.unflatten(0, (3, self.heads, -1))
        seen = torch.arange(x.shape[1], device=x.device) <= position[:, None]
        with torch.autocast("cpu", enabled=False):
            x = _full(x)
            q = F.linear(pick(x, position), of_q.flatten(0, 1), bias_of_q.flatten()).unflatten(1, (self.heads, -1))
            of_one = None if bias is None else bias.squeeze(2)
            attended = attend_once(q, x, of_k, (of_v, bias_of_v), seen, bias=of_one, dropout=self._rate)
        return attended.flatten(1)[:, None]

    @property
    def _rate(self) -> float:
        return self.dropout if self.training else 0.0


def _full(x: Tensor) -> Tensor:
    """Return x in fp32 on a CPU, where attention is computed in it."""
    return x.float() if x.device.type == "cpu" else x


class SwiGLU(nn.Module):
    """A network on each position with gated hidden units: W_3 (SiLU(W_1 x) * W_2 x) (Shazeer, 2020).

    Args:
        dim: D.
        hidden: number of hidden units; two thirds of a plain network's have the same number of parameters.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, 2 * hidden)
        self.out = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., D)."""
        gate, value = self.inner(x).chunk(2, dim=-1)
        out: Tensor = self.out(F.silu(gate) * value)
        return out
