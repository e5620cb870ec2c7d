"""The base of sequence encoders: the state at a position depends on the items up to that position alone."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmrec.batch import Clock
from mmrec.nn.kernels.lookup import look_up, look_up_all, look_up_places, pick
from mmrec.nn.kernels.row_groups import group_rows


class CausalEncoder(nn.Module):
    """A causal map from the item vectors (B, L, D) and the times of right-padded windows to states (B, L, D).

    `forward(x, clock)` is the map; an encoder that is not time-aware ignores the times.

    Attributes:
        max_length: the longest window that the encoder reads; None for any length.
        tokens_at_once: number of positions that a CPU computes together; None for the whole batch.
        compiled_length: length to which windows are padded, since a compiled encoder has one fixed shape; None if the
            encoder is not compiled.
    """

    max_length: int | None = None
    tokens_at_once: ClassVar[int | None] = None
    compiled_length: int | None = None

    def states_at(self, items: Tensor, clock: Clock, vectors: Tensor, row: Tensor, position: Tensor) -> Tensor:
        """Return the states at some positions: `self(vectors[items], clock)[row, position]`.

        On a CPU the rows are computed in groups, see `group_rows`; a GPU computes the batch as a whole.

        Args:
            items: (B, L) int64, right-padded windows.
            clock: the times of the windows.
            vectors: (I, D) item vectors.
            row: (P,) int64, ascending, the row of each wanted position.
            position: (P,) int64, the wanted positions.

        Returns:
            (P, D).
        """
        one_per_row = len(row) == len(items) and bool((row.diff() == 1).all())
        if items.is_cuda or self.compiled_length is not None:
            if self.compiled_length is not None and not one_per_row:
                more = (0, self.compiled_length - items.shape[1])
                items, clock = F.pad(items, more), Clock(*(F.pad(times, more) for times in clock))
            return self._at(look_up(items, vectors), clock, row, position, one_per_row)
        size = len(items)
        if self.tokens_at_once is not None:
            # Without a gradient no intermediate result is kept, and twice as many positions fit into the cache.
            size = max(1, self.tokens_at_once * (1 if torch.is_grad_enabled() else 2) // items.shape[1])
        groups = group_rows(items, clock, row, position, size)
        inputs = look_up_all([group.items for group in groups], vectors)
        return torch.cat(
            [
                self._at(x, group.clock, group.row, group.position, one_per_row)
                for x, group in zip(inputs, groups, strict=True)
            ]
        )

    def one_state_per_row(self, x: Tensor, position: Tensor, clock: Clock) -> Tensor:
        """Return the states (B, D) at one position (B,) of each row of (B, L, D): all that evaluation needs."""
        states: Tensor = self(x, clock)
        return pick(states, position)

    def _at(self, x: Tensor, clock: Clock, row: Tensor, position: Tensor, one_per_row: bool) -> Tensor:
        """Return the states (P, D) at some positions of (B, L, D)."""
        if one_per_row:
            return self.one_state_per_row(x, position, clock)
        return look_up_places(row, position, self(x, clock))
