"""What travels from the loaders to the models, and the alphabet of dimensions.

| letter | meaning |
|---|---|
| B | batch size: windows or pairs in training, held-out interactions in evaluation |
| L | sequence length, at most `max_length` |
| D | hidden width |
| I | items, padding included: real items are 1 .. I - 1 and PAD = 0 |
| U | users |
| K | retrieved neighbours of an item |
| N | negatives |
| C | candidates of the sampled protocol |
| P | positions that carry a target |
| E | earlier items: what a user did before the window of L, all users of the batch in one row |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

__all__ = ["PAD", "Clock", "EvalBatch", "PairBatch", "SequenceBatch", "TrainBatch", "TrainsOn"]

PAD = 0
"""Item index of padding. Real items are 1 .. I - 1."""

TrainsOn = Literal["windows", "pairs", "nothing"]
"""What a model trains on: `TrainBatch`, `PairBatch`, or nothing where a closed form takes the place of training."""


class Clock(NamedTuple):
    """The times of some windows, in seconds.

    Args:
        item_time: (B, L) int64, the time of each interaction.
        query_time: (B, L) int64, the time at which the item after each position is predicted. In training and for
            held-out interactions it is the time of the next interaction; for an unknown next item it is the newest
            time in the data.
    """

    item_time: Tensor
    query_time: Tensor


@dataclass
class SequenceBatch:
    """Histories: the newest L items in a window, everything before it as a ragged row.

    Args:
        user: (B,) int64, user indices.
        items: (B, L) int64, oldest first, right-padded with PAD.
        earlier: (E,) int64, the items before each window, user after user.
        earlier_offsets: (B + 1,) int64, where each user's part of `earlier` starts.
        clock: the times of the windows, for models that are time-aware.
    """

    user: Tensor
    items: Tensor
    earlier: Tensor
    earlier_offsets: Tensor
    clock: Clock

    @property
    def lengths(self) -> Tensor:
        """(B,) int64, items in each window."""
        return (self.items != PAD).sum(dim=1)

    def history(self) -> tuple[Tensor, Tensor]:
        """Return row and item (n,), (n,) of all that the users did, in the windows and before; PAD is among them."""
        rows = torch.arange(len(self.user), device=self.user.device)
        inside = rows.repeat_interleave(self.items.shape[1])
        before = rows.repeat_interleave(self.earlier_offsets.diff())
        return torch.cat([inside, before]), torch.cat([self.items.flatten(), self.earlier])

    def multi_hot(self, n_items: int) -> Tensor:
        """Return (B, I) float32, 1 for each item of the whole history and 0 elsewhere, PAD included."""
        hot = torch.zeros(len(self.user), n_items, device=self.user.device)
        hot[self.history()] = 1.0
        hot[:, PAD] = 0.0
        return hot


@dataclass
class TrainBatch(SequenceBatch):
    """Histories of the training period with the item that follows each position.

    Args:
        targets: (B, L) int64, PAD where a position has no target.
        n_targets: P, how many of them are no PAD; kept beside them so that nobody waits for a GPU to count.
    """

    targets: Tensor
    n_targets: int

    def places(self) -> tuple[Tensor, Tensor]:
        """Return row and position (P,), (P,) int64 of each target, row after row."""
        row, position = torch.nonzero_static(self.targets, size=self.n_targets).T.contiguous()
        return row, position


@dataclass
class PairBatch:
    """Training interactions, each beside an item that the user has not among them.

    Args:
        user: (B,) int64.
        positive: (B,) int64, the item of the interaction.
        negative: (B,) int64, the other item.
    """

    user: Tensor
    positive: Tensor
    negative: Tensor


@dataclass
class EvalBatch(SequenceBatch):
    """Held-out interactions: the history before each and the item that was chosen.

    Args:
        target: (B,) int64, PAD when predicting the unknown next item.
        instance: (B,) int64, the row of the interaction in the dataset; the user index when predicting.
        candidates: (B, C) int64, sampled negatives, or None for full ranking.
    """

    target: Tensor
    instance: Tensor
    candidates: Tensor | None = None
