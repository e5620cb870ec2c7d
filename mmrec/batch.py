"""What the loaders hand to the models, and the letters of all dimensions.

| letter | meaning |
|---|---|
| B | batch size: windows or pairs in training, held-out interactions in evaluation |
| L | sequence length, at most `max_length` |
| D | hidden width |
| I | number of items, padding included: real items are 1 .. I - 1 and PAD = 0 |
| U | number of users |
| K | number of retrieved neighbours per item |
| N | number of negatives |
| C | number of candidates of each target, where it is not all items |
| P | number of positions that have a target |
| E | earlier items: everything before the windows, the users of the batch one after the other |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from mmrec.errors import InvalidArgument

__all__ = ["PAD", "Clock", "EvalBatch", "PairBatch", "SequenceBatch", "TrainBatch", "TrainsOn"]

PAD = 0
"""Item index of padding. Real items are 1 .. I - 1."""

TrainsOn = Literal["windows", "pairs", "nothing"]
"""What a model trains on: `TrainBatch`, `PairBatch`, or nothing if a closed form replaces training."""

Sequences = TypeVar("Sequences", bound="SequenceBatch")


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
    """Histories: a window with the newest L items, and all items before it in a ragged tensor.

    Args:
        user: (B,) int64, user indices.
        items: (B, L) int64, the windows, oldest item first, right-padded with PAD.
        earlier: (E,) int64, the items before each window, user after user.
        earlier_offsets: (B + 1,) int64, start of each user's part of `earlier`.
        clock: the times of the windows, for time-aware models.
    """

    user: Tensor
    items: Tensor
    earlier: Tensor
    earlier_offsets: Tensor
    clock: Clock

    @property
    def lengths(self) -> Tensor:
        """(B,) int64, number of items in each window."""
        return (self.items != PAD).sum(dim=1)

    def newest(self: Sequences, length: int | None) -> Sequences:
        """Return the batch with windows of the newest `length` items at most; the items before them become earlier.

        Args:
            length: the longest window that a model reads; None for any length.

        Raises:
            InvalidArgument: a window is empty.
        """
        lengths = self.lengths
        if not self.items.shape[1] or not lengths.all():
            row = int((lengths == 0).nonzero()[0, 0])
            raise InvalidArgument("items", f"items has an empty window in row {row}: a window has at least one item")
        if length is None or self.items.shape[1] <= length:
            return self
        dropped = (lengths - length).clamp(min=0)
        positions = torch.arange(self.items.shape[1], device=self.items.device)
        kept = dropped[:, None] + positions[:length]
        older = torch.nonzero(positions < dropped[:, None], as_tuple=True)
        rows = torch.arange(len(dropped), device=dropped.device).repeat_interleave(self.earlier_offsets.diff())
        order = torch.cat([rows, older[0]]).argsort(stable=True)
        return replace(
            self,
            items=self.items.gather(1, kept),
            earlier=torch.cat([self.earlier, self.items[older]])[order],
            earlier_offsets=self.earlier_offsets + torch.cat([dropped.new_zeros(1), dropped.cumsum(0)]),
            clock=Clock(*(times.gather(1, kept) for times in self.clock)),
        )

    def history(self) -> tuple[Tensor, Tensor]:
        """Return rows and items (n,), (n,) of the whole histories, in the windows and before; PAD is among them."""
        rows = torch.arange(len(self.user), device=self.user.device)
        inside = rows.repeat_interleave(self.items.shape[1])
        before = rows.repeat_interleave(self.earlier_offsets.diff())
        return torch.cat([inside, before]), torch.cat([self.items.flatten(), self.earlier])

    def multi_hot(self, n_items: int) -> Tensor:
        """Return (B, I) float32, 1 for each item of the whole history and 0 elsewhere and at PAD."""
        hot = torch.zeros(len(self.user), n_items, device=self.user.device)
        hot[self.history()] = 1.0
        hot[:, PAD] = 0.0
        return hot


@dataclass
class TrainBatch(SequenceBatch):
    """Histories of the training period, with the item that follows each position.

    Args:
        targets: (B, L) int64, PAD where a position has no target.
        n_targets: P, the number of positions that have a target; it is stored so that nobody waits for a GPU to count.
    """

    targets: Tensor
    n_targets: int

    def places(self) -> tuple[Tensor, Tensor]:
        """Return row and position (P,), (P,) int64 of each target, row after row."""
        row, position = torch.nonzero_static(self.targets, size=self.n_targets).T.contiguous()
        return row, position


@dataclass
class PairBatch:
    """Training interactions, each with an item that the user has not interacted with.

    Args:
        user: (B,) int64, user indices.
        positive: (B,) int64, the item of the interaction.
        negative: (B,) int64, the other item.
    """

    user: Tensor
    positive: Tensor
    negative: Tensor


@dataclass
class EvalBatch(SequenceBatch):
    """Held-out interactions: the history before each, and its item.

    Args:
        target: (B,) int64, the item of the interaction; PAD if the next item is unknown.
        instance: (B,) int64, the row of the interaction in the dataset; the user index if the next item is unknown.
        candidates: (B, C) int64, sampled negatives; None for full ranking.
    """

    target: Tensor
    instance: Tensor
    candidates: Tensor | None = None
