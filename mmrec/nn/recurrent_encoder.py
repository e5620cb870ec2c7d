"""Gated recurrent units over the sequence of item vectors (Hidasi et al., ICLR 2016)."""

from __future__ import annotations

from torch import Tensor, nn

from mmrec.batch import Clock
from mmrec.nn.causal_encoder import CausalEncoder
from mmrec.nn.kernels.dropout import Dropout


class RecurrentEncoder(CausalEncoder):
    """GRU layers, a projection back to D if their width differs from D, and a layer norm.

    Sequences are padded on the right and a recurrence never looks ahead, so padding changes nothing and no packing is
    needed. As in `SequenceEncoder`, the input is scaled by the root of D and the output passes a layer norm. Item
    vectors start small and the states of a GRU stay between -1 and 1, so without both the scores of tied embeddings
    grow slowly.

    Args:
        dim: D.
        hidden_dim: width of the GRU layers.
        layers: number of GRU layers.
        dropout: dropout on the input and on the output of each layer.
    """

    # `tokens_at_once` stays None: a recurrence takes as long for few rows as for many.

    def __init__(self, dim: int, *, hidden_dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.scale = dim**0.5
        self.dropout = Dropout(dropout)
        # One module per layer: the dropout between the layers of one nn.GRU is slow on a CPU, see `drop`.
        self.layers = nn.ModuleList(
            nn.GRU(hidden_dim if layer else dim, hidden_dim, batch_first=True) for layer in range(layers)
        )
        self.projection = nn.Identity() if hidden_dim == dim else nn.Linear(hidden_dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """Encode right-padded sequences of item vectors (B, L, D) into states (B, L, D)."""
        x = self.dropout(x * self.scale)
        for layer in self.layers:
            x = self.dropout(layer(x)[0])
        out: Tensor = self.norm(self.projection(x))
        return out
