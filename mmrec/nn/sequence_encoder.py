"""Dynamic interest: a causal Transformer over the sequence of item vectors (paper, section 3.3.1, eq. 7-8).

The paper names a Transformer and cites SASRec (Kang and McAuley, ICDM 2018). Sequences are padded on the right and
attention is causal, so no position ever attends to padding and no mask tensor is needed.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import Clock
from mmrec.errors import require
from mmrec.nn.causal_encoder import CausalEncoder, pick
from mmrec.nn.kernels.dropout import Dropout
from mmrec.nn.time_bias import TimeBias, gap_buckets

BlockKind = Literal["plain", "ligr"]
QUERIES = 100  # of a block on a CPU: smaller ones save less than their own calls cost


class Attention(nn.Module):
    """Causal multi-head self-attention.

    Args:
        dim: D.
        heads: number of heads; divides D.
        dropout: on the attention weights.
        time_bias: add `TimeBias` to the logits.
    """

    def __init__(self, dim: int, heads: int, dropout: float, time_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.time_bias = TimeBias(heads) if time_bias else None
        self.dropout = Dropout(dropout)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, position: Tensor | None = None, buckets: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to (B, L, D), or to (B, 1, D) for one position (B,) of each row alone.

        `buckets` (B, L, L) are the time gaps, for attention that knows them.
        """
        seen = bias = None
        if self.time_bias is not None and buckets is not None:
            bias = self.time_bias(buckets if position is None else pick(buckets, position)[:, None])
        if position is None:
            q, k, v = self._heads(self.qkv(x), 3)
        else:
            sizes = [x.shape[2], 2 * x.shape[2]]
            (of_q, of_kv), (bias_of_q, bias_of_kv) = self.qkv.weight.split(sizes), self.qkv.bias.split(sizes)
            (q,) = self._heads(F.linear(pick(x, position)[:, None], of_q, bias_of_q), 1)
            k, v = self._heads(F.linear(x, of_kv, bias_of_kv), 2)
            seen = (torch.arange(x.shape[1], device=x.device) <= position[:, None])[:, None, None]
        with torch.autocast("cpu", enabled=False):  # on a CPU the kernel for bf16 is the slower one
            attended = self._attend(q, k, v, seen, bias)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor, parts: int) -> Tensor:
        """Take (B, L, parts · D) apart into (parts, B, H, L, D / H)."""
        x = x.float() if x.device.type == "cpu" else x
        apart: Tensor = x.unflatten(2, (parts, self.heads, -1))
        return apart.permute(2, 0, 3, 1, 4)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, bias: Tensor | None) -> Tensor:
        """Attend to the keys that are seen, (B, 1, 1, L) bool, or causally; `bias` is added to the logits."""
        dropout = self.dropout.p if self.training else 0.0
        # PyTorch has no fused kernel with dropout for a CPU, nor one whose mask learns, and its plain one is slow.
        if bias is None and (dropout == 0 or seen is not None or q.device.type != "cpu"):
            return F.scaled_dot_product_attention(q, k, v, seen, dropout, is_causal=seen is None)
        q = q * q.shape[3] ** -0.5
        if seen is None:
            return self._attend_causally(q, k, v, bias)
        assert bias is not None  # PyTorch's kernel has done what has none
        return self._mix((q @ k.transpose(2, 3) + bias).masked_fill(~seen, -torch.inf), v)

    def _attend_causally(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Let blocks of queries attend, each to the keys up to its own end: of two blocks, a quarter is never made."""
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
            attended.append(self._mix(logits, v[:, :, :end]))
        return torch.cat(attended, dim=2)

    def _mix(self, logits: Tensor, v: Tensor) -> Tensor:
        mixed: Tensor = self.dropout(torch.softmax(logits, dim=3)) @ v
        return mixed


class SwiGLU(nn.Module):
    """A network on each position whose hidden units are gated: W_3 (SiLU(W_1 x) * W_2 x) (Shazeer, 2020).

    Args:
        dim: D.
        hidden: width; two thirds of a plain network's has as many parameters.
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


class Block(nn.Module):
    """A pre-norm Transformer block: attention, then a network on each position.

    "plain" adds f(LayerNorm(x)) to x, with two layers and a GELU on each position. "ligr" adds
    f(LayerNorm(x)) * σ(W x), the gated residuals of LiGR (Borisyuk et al., 2025), with a SwiGLU on each position, as
    eSASRec has them (Tikhonovich et al., RecSys 2025).

    Args:
        dim: D.
        ffn_dim: width of the network on each position, "ligr" takes two thirds of it.
        heads: attention heads.
        dropout: on the output of both parts.
        attention_dropout: on the attention weights.
        kind: "plain" or "ligr".
        time_bias: see `Attention`.
    """

    def __init__(
        self,
        dim: int,
        ffn_dim: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
        kind: BlockKind,
        time_bias: bool,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, attention_dropout, time_bias)
        self.mlp_norm = nn.LayerNorm(dim)
        gated = kind == "ligr"
        self.mlp = (
            SwiGLU(dim, 2 * ffn_dim // 3)
            if gated
            else nn.Sequential(nn.Linear(dim, ffn_dim), nn.GELU(), nn.Linear(ffn_dim, dim))
        )
        self.attention_gate = nn.Linear(dim, dim) if gated else None
        self.mlp_gate = nn.Linear(dim, dim) if gated else None
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, position: Tensor | None = None, buckets: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to (B, L, D), or to (B, 1, D) for one position (B,) of each row alone; see `Attention`."""
        attended = self.attention(self.attention_norm(x), position, buckets)
        x = self._add(x if position is None else pick(x, position)[:, None], attended, self.attention_gate)
        return self._add(x, self.mlp(self.mlp_norm(x)), self.mlp_gate)

    def _add(self, x: Tensor, part: Tensor, gate: nn.Linear | None) -> Tensor:
        part = self.dropout(part)
        return x + (part if gate is None else part * torch.sigmoid(gate(x)))


def compile_encoders(module: nn.Module) -> int:
    """Compile every `SequenceEncoder` below a module into CUDA graphs, so that a step of one is launched at once.

    Returns:
        how many there are.
    """
    encoders = [part for part in module.modules() if isinstance(part, SequenceEncoder)]
    for encoder in encoders:
        encoder.compile(mode="reduce-overhead", dynamic=False)
    return len(encoders)


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
        block: "plain" or "ligr", see `Block`.
        time_bias: attention knows the time gaps, see `TimeBias`.

    Raises:
        InvalidArgument: an option is outside its range.
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
        block: BlockKind = "plain",
        time_bias: bool = False,
    ) -> None:
        for name, width in {"hidden_dim": dim, "heads": heads, "ffn_dim": ffn_dim}.items():
            require(width >= 1, name, width, "at least 1")
        require(layers >= 0, "layers", layers, "at least 0")
        for name, share in {"dropout": dropout, "attention_dropout": attention_dropout}.items():
            require(0 <= share < 1, name, share, "at least 0 and below 1")
        require(dim % heads == 0, "heads", heads, f"a divisor of hidden_dim ({dim})")
        require(block in get_args(BlockKind), "block", block, f"one of {', '.join(get_args(BlockKind))}")
        super().__init__()
        self.scale = dim**0.5
        self.time_bias = time_bias
        self.position = nn.Embedding(max_length, dim)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(dim, ffn_dim, heads, dropout, attention_dropout, block, time_bias) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """Encode right-padded sequences of item vectors (B, L, D) into hidden states (B, L, D)."""
        buckets = self._buckets(clock)
        x = self._read(x)
        for block in self.blocks:
            x = block(x, buckets=buckets)
        out: Tensor = self.norm(x)
        return out

    def one_of_each(self, x: Tensor, position: Tensor, clock: Clock) -> Tensor:
        """Return the states (B, D) at one position (B,) of each row; the last block computes no others."""
        buckets = self._buckets(clock)
        x = self._read(x)
        for block in self.blocks[:-1]:
            x = block(x, buckets=buckets)
        state: Tensor = self.blocks[-1](x, position, buckets).squeeze(1) if self.blocks else pick(x, position)
        out: Tensor = self.norm(state)
        return out

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile `forward`, as `torch.nn.Module.compile` does, for windows of `max_length`."""
        self.compiled_length = self.position.num_embeddings
        super().compile(*args, **kwargs)

    def _buckets(self, clock: Clock) -> Tensor | None:
        return gap_buckets(clock) if self.time_bias else None

    def _read(self, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        out: Tensor = self.dropout(torch.add(self.position(positions), x, alpha=self.scale))
        return out
