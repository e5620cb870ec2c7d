"""Training interactions as pairs for BPR: a positive and a negative item of the same user."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from mmrec.batch import PairBatch
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.indexing import shard
from mmrec.data.loaders.negatives import UniformNegativeSampler
from mmrec.errors import UserError


class PairLoader:
    """Every training interaction once an epoch in a fresh order, each with one uniform negative.

    The negative is an item the user has not among the training interactions. Order and negatives are a function of
    (seed, epoch) alone, whatever the number of processes. Users who know every item have no negative and are left out.

    Args:
        view: the training interactions.
        batch_size: B per process.
        seed: of order and negatives.
        epoch: returns the current epoch.
        rank: this process.
        world: number of processes.
        device: where batches are put together.

    Raises:
        UserError: there is no pair at all.
    """

    def __init__(
        self,
        view: TrainView,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.view = view
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self.rank = rank
        self.world = world
        self.device = device
        self.users, self.items = view.users.to(device), view.items.to(device)
        self.negative_sampler = UniformNegativeSampler()
        self.negative_sampler.set_view(view)
        knows_all = self.negative_sampler.starts.diff() == view.n_items - 1
        self.rows = torch.nonzero(~knows_all[view.users]).squeeze(1)
        if not len(self.rows):
            raise UserError(
                "there is no training interaction whose user has not got every item, so there are no pairs to learn "
                "from: loosen the filters of data.prepare"
            )

    def __len__(self) -> int:
        return len(shard(self.rows, self.batch_size, self.rank, self.world))

    def __iter__(self) -> Iterator[PairBatch]:
        with torch.random.fork_rng(devices=[]):  # the model draws from the same generator: leave it where it was
            torch.default_generator.manual_seed(self.seed * 1_000_003 + self.epoch())
            order = self.rows[torch.randperm(len(self.rows))]
            negatives = self.negative_sampler(self.view.users[order])
        columns = (column.to(self.device) for column in (order, negatives))
        parts = (shard(column, self.batch_size, self.rank, self.world) for column in columns)
        for rows, negative in zip(*parts, strict=True):
            yield PairBatch(self.users[rows], self.items[rows].long(), negative)
