"""What encoders of sequences share: a state sees the items up to its own position, and is made where asked for."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import Clock
from mmrec.nn.kernels.lookup import look_up, look_up_all, look_up_places


class CausalEncoder(nn.Module):
    """A causal map from the item vectors (B, L, D) of right-padded windows and their times to states (B, L, D).

    `forward(x, clock)` is the map; an encoder that is not time-aware ignores the times.

    Attributes:
        tokens_at_once: places of the windows that go through together on a CPU, None for all of a batch.
        compiled_length: length that windows are padded to, since a compiled encoder is one for a shape; None if it is
            not compiled.
    """

    tokens_at_once: ClassVar[int | None] = None
    compiled_length: int | None = None

    def one_of_each(self, x: Tensor, position: Tensor, clock: Clock) -> Tensor:
        """Return the states (B, D) at one position (B,) of each row, as evaluation asks for, given (B, L, D)."""
        states: Tensor = self(x, clock)
        return pick(states, position)

    def states_at(self, items: Tensor, clock: Clock, vectors: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """Return the states at some places, as `self(vectors[items], clock)[row, position]` would.

        Nothing after a place has a part in it, so windows go through in groups of a few rows, each cut behind the last
        place that is asked for. Loaders order a batch by length: hardly any padding is left to compute, and what a
        group computes stays in the processor's cache. A GPU takes a batch as a whole.

        Args:
            items: (B, L) int64, right-padded.
            clock: of the windows.
            vectors: (I, D) item vectors.
            row: (P,) int64, ascending.
            position: (P,) int64.

        Returns:
            (P, D).
        """
        one_each = len(row) == len(items) and bool((row.diff() == 1).all())
        if items.is_cuda or self.compiled_length is not None:
            if self.compiled_length is not None and not one_each:
                more = (0, self.compiled_length - items.shape[1])
                items, clock = F.pad(items, more), Clock(*(F.pad(times, more) for times in clock))
            return self._at(look_up(items, vectors), clock, row, position, one_each)
        size = len(items)
        if self.tokens_at_once is not None:
            # Without a gradient nothing is kept, and twice as much fits.
            size = max(1, self.tokens_at_once * (1 if torch.is_grad_enabled() else 2) // items.shape[1])
        edges = [*range(0, len(items), size), len(items)]
        places = torch.searchsorted(row, torch.tensor(edges, device=row.device)).diff().tolist()
        windows = [
            (part[:, : (length := int(at.max()) + 1)], Clock(*(time[:, :length] for time in times)), of - first, at)
            for part, *times, of, at, first in zip(
                items.split(size),
                clock.item_time.split(size),
                clock.query_time.split(size),
                row.split(places),
                position.split(places),
                edges,
                strict=False,
            )
            if len(at)
        ]
        read = look_up_all([part for part, *_ in windows], vectors)
        return torch.cat(
            [self._at(x, times, of, at, one_each) for x, (_, times, of, at) in zip(read, windows, strict=True)]
        )

    def _at(self, x: Tensor, clock: Clock, row: Tensor, position: Tensor, one_each: bool) -> Tensor:
        """Return the states (P, D) at some places of (B, L, D), or at one of each row."""
        return self.one_of_each(x, position, clock) if one_each else look_up_places(row, position, self(x, clock))


def pick(x: Tensor, position: Tensor) -> Tensor:
    """Return one position (B,) of each row of (B, L, D), (B, D)."""
    return x[torch.arange(len(x), device=x.device), position]
