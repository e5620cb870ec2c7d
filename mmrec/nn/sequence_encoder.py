r"""Dynamic interest: a causal Transformer over the sequence of item vectors (paper, section 3.3.1, eq. 7-8).

    U^d = Transformer(S'),   u^d = U^d_last                         (7), (8)

The paper names a Transformer and cites SASRec (Kang and McAuley, ICDM 2018). Sequences are padded on the right and
attention is causal, so no position attends to padding and no mask tensor is needed.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mmrec.batch import Clock
from mmrec.errors import require
from mmrec.nn.causal_encoder import CausalEncoder
from mmrec.nn.kernels.dropout import Dropout
from mmrec.nn.kernels.lookup import pick
from mmrec.nn.time_bias import gap_buckets
from mmrec.nn.transformer_block import Block, TransformerOptions


class SequenceEncoder(CausalEncoder):
    """U^d of eq. 7 for a window; every position is the last state u^d of its own prefix (eq. 8).

    Args:
        dim: D.
        max_length: L, the longest window.
        options: the options of the Transformer.

    Raises:
        InvalidArgument: an option is outside its range.
    """

    tokens_at_once: ClassVar[int | None] = 6400  # times D = 64 in fp32: 1.6 MB, the size of two cores' caches

    def __init__(self, dim: int, max_length: int, options: TransformerOptions) -> None:
        super().__init__()
        require(dim >= 1, "dim", dim, "at least 1")
        require(max_length >= 1, "max_length", max_length, "at least 1")
        require(dim % options.heads == 0, "heads", options.heads, f"a divisor of the width {dim}")
        self.max_length = max_length
        self.scale = dim**0.5
        self.time_bias = options.time_bias
        self.position = nn.Embedding(max_length, dim)
        self.dropout = Dropout(options.dropout)
        self.blocks = nn.ModuleList(Block(dim, options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """Encode right-padded sequences of item vectors (B, L, D) into states (B, L, D)."""
        buckets = self._buckets(clock)
        x = self._embed(x)
        for block in self.blocks:
            x = block(x, buckets=buckets)
        out: Tensor = self.norm(x)
        return out

    def one_state_per_row(self, x: Tensor, position: Tensor, clock: Clock) -> Tensor:
        """Return the states (B, D) at one position (B,) of each row; the last block computes no other position."""
        buckets = self._buckets(clock)
        x = self._embed(x)
        for block in self.blocks[:-1]:
            x = block(x, buckets=buckets)
        state: Tensor = self.blocks[-1](x, position, buckets).squeeze(1) if self.blocks else pick(x, position)
        out: Tensor = self.norm(state)
        return out

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile `forward`, as `torch.nn.Module.compile` does, for windows of `max_length`."""
        self.compiled_length = self.max_length
        super().compile(*args, **kwargs)

    def _buckets(self, clock: Clock) -> Tensor | None:
        return gap_buckets(clock) if self.time_bias else None

    def _embed(self, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        out: Tensor = self.dropout(torch.add(self.position(positions), x, alpha=self.scale))
        return out


def compile_encoders(module: nn.Module) -> int:
    """Compile every `SequenceEncoder` of a module into CUDA graphs, which launch all kernels of a step at once.

    Returns:
        the number of encoders compiled.
    """
    encoders = [part for part in module.modules() if isinstance(part, SequenceEncoder)]
    for encoder in encoders:
        encoder.compile(mode="reduce-overhead", dynamic=False)
    return len(encoders)
