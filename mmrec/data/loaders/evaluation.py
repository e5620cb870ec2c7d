"""Held-out interactions as batches, and the candidates of the sampled protocol."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mmrec.batch import PAD, EvalBatch
from mmrec.data.catalog import Catalog
from mmrec.data.loaders.indexing import Process, by_length, clock, ragged, windows
from mmrec.errors import UserError

COUNT = 100  # negatives per instance in the protocol `uniform100`
BLOCK_ELEMENTS = 2**24  # random numbers in memory at a time: 64 MB


class EvalLoader:
    """Held-out interactions, each with the whole history before it.

    Args:
        catalog: the dataset.
        rows: (n,) the interactions to rank, see `Catalog.instances`; None for the unknown next item of users.
        users: (n,) the users whose unknown next item is predicted; None for all.
        max_length: L.
        batch_size: B.
        candidates: (n, C) items to rank the target of each row among; None for full ranking.
        process: the process that is served.
    """

    def __init__(
        self,
        catalog: Catalog,
        rows: Tensor | None,
        *,
        users: Tensor | None = None,
        max_length: int,
        batch_size: int,
        candidates: Tensor | None = None,
        process: Process = Process(),  # noqa: B008  frozen
    ) -> None:
        self.catalog = catalog
        self.rows = rows
        self.max_length = max_length
        self.candidates = candidates
        self.device = process.device
        self.items, self.timestamp = catalog.items.to(self.device), catalog.timestamp.to(self.device)
        if users is None:
            users = torch.arange(catalog.n_users)
        index = users if rows is None else torch.arange(len(rows))
        parts = process.shard(index, batch_size)
        # A process without an interaction gets one empty batch: with no batch it would skip the evaluation, and the
        # others would wait for its ranks forever.
        self.batches = [part for part in parts if len(part)] or (parts[:1] if len(index) else [])

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[EvalBatch]:
        return (self.batch(index) for index in self.batches)

    def batch(self, index: Tensor) -> EvalBatch:
        """Return a batch of some entries (B,) of `rows`, or of some users, sorted by the length of their windows."""
        catalog = self.catalog
        if self.rows is None:
            user, end = index, catalog.offsets[index + 1]
            target, instance = torch.full_like(index, PAD), index
        else:
            instance = end = self.rows[index]
            user, target = catalog.user_of(end), catalog.items[end].long()
        first = catalog.offsets[user]
        start = torch.maximum(first, end - self.max_length)
        index, user, first, start, end, target, instance = by_length(
            start, end, index, user, first, start, end, target, instance
        )
        earlier, offsets = ragged(self.items, first, start)
        rows = windows(start, end, self.device)
        times = clock(self.timestamp, rows)
        if self.rows is None:  # the unknown next item is queried at the end of the data
            times.query_time[torch.arange(len(user)), end - start - 1] = catalog.newest
        user, target, instance = (column.to(self.device, non_blocking=True) for column in (user, target, instance))
        return EvalBatch(
            user=user,
            items=rows.of(self.items),
            earlier=earlier,
            earlier_offsets=offsets,
            clock=times,
            target=target,
            instance=instance,
            candidates=None if self.candidates is None else self.candidates[index].to(self.device),
        )


def uniform_candidates(catalog: Catalog, rows: Tensor) -> Tensor:
    """Draw, for the protocol `uniform100`, 100 distinct items that the user of each row never interacted with.

    Sampled metrics order models differently than full ranking does (Krichene and Rendle, KDD 2020). They exist for the
    comparison with papers that report them, under names of their own.
    The draw depends on the data alone, not on the run's seed, so that all models face the same candidates.

    Args:
        catalog: the dataset.
        rows: (n,) held-out interactions.

    Returns:
        (n, 100) int64.

    Raises:
        UserError: a user has fewer than 100 such items.
    """
    generator = torch.Generator().manual_seed(0)
    parts = []
    for part in rows.split(max(1, BLOCK_ELEMENTS // catalog.n_items)):
        noise = torch.rand(len(part), catalog.n_items, generator=generator)
        user = catalog.user_of(part)
        starts, counts = catalog.offsets[user], catalog.offsets.diff()[user]
        row = torch.repeat_interleave(torch.arange(len(part)), counts)
        place = torch.arange(int(counts.sum())) + torch.repeat_interleave(starts - counts.cumsum(0) + counts, counts)
        noise[row, catalog.items[place]] = -1.0
        noise[:, PAD] = -1.0
        drawn = noise.topk(min(COUNT, catalog.n_items), dim=1)
        if drawn.values.shape[1] < COUNT or (drawn.values < 0).any():
            raise UserError(
                f"candidates: uniform100 needs {COUNT} items that a user has not interacted with, and a catalogue "
                f"of {catalog.n_items - 1} items has too few for some users: use candidates: all"
            )
        parts.append(drawn.indices)
    return torch.cat(parts) if parts else rows.new_empty(0, COUNT)
