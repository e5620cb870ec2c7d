"""The table of neighbours that a model reads during an epoch, rebuilt from the current item vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.retrieval.index import Backend, nearest_neighbours


class NeighbourTable(nn.Module):
    """N(i) of eq. 5 for all items, on the model's device, so that a lookup is one gather.

    The table is derived from the parameters, so checkpoints do not contain it.

    Args:
        k: K, number of neighbours per item.
        backend: search method, see `nearest_neighbours`.
    """

    neighbours: Tensor

    def __init__(self, k: int, backend: Backend = "torch") -> None:
        super().__init__()
        self.k = k
        self.backend = backend
        self.register_buffer("neighbours", torch.empty(0, k, dtype=torch.int64), persistent=False)

    @property
    def ready(self) -> bool:
        """Whether the table has been built."""
        return len(self.neighbours) > 0

    def refresh(self, vectors: Tensor) -> float | None:
        """Rebuild the table from item vectors (I, D).

        Returns:
            churn: the proportion of neighbours that were not neighbours before; None the first time.
        """
        before, self.neighbours = self.neighbours, nearest_neighbours(vectors, self.k, self.backend)
        if not len(before):
            return None
        kept = (self.neighbours[1:, :, None] == before[1:, None, :]).any(dim=2)
        return 1.0 - kept.float().mean().item()
