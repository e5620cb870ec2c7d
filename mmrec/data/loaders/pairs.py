"""Training interactions as pairs for BPR: a positive and a negative item of the same user."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from mmrec.batch import PairBatch
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.indexing import EpochSeed, Process
from mmrec.data.loaders.negatives import UniformNegativeSampler
from mmrec.errors import UserError


class PairLoader:
    """Every training interaction once per epoch in a new order, each with one uniform negative.

    The negative is an item that the user has not interacted with in training. Order and negatives are a function of
    seed and epoch alone, whatever the number of processes. Users who interacted with every item have no negative and
    are left out.

    Args:
        view: the training interactions.
        batch_size: B per process.
        epoch_seed: seed of order and negatives in each epoch.
        process: the process that is served.

    Raises:
        UserError: every user has interacted with every item.
    """

    def __init__(
        self,
        view: TrainView,
        *,
        batch_size: int,
        epoch_seed: EpochSeed,
        process: Process = Process(),  # noqa: B008  frozen
    ) -> None:
        self.view = view
        self.batch_size = batch_size
        self.epoch_seed = epoch_seed
        self.process = process
        self.users, self.items = view.users.to(process.device), view.items.to(process.device)
        self.negative_sampler = UniformNegativeSampler()
        self.negative_sampler.set_view(view)
        complete = self.negative_sampler.starts.diff() == view.n_items - 1
        self.rows = torch.nonzero(~complete[view.users]).squeeze(1)
        if not len(self.rows):
            raise UserError(
                "every user with training interactions has interacted with every item, which leaves no pairs to learn "
                "from: loosen the filters of the preparation"
            )

    def __len__(self) -> int:
        return len(self.process.shard(self.rows, self.batch_size))

    def __iter__(self) -> Iterator[PairBatch]:
        with torch.random.fork_rng(devices=[]):  # the model draws from the same generator, whose state is kept
            torch.default_generator.manual_seed(self.epoch_seed())
            order = self.rows[torch.randperm(len(self.rows))]
            negatives = self.negative_sampler(self.view.users[order])
        columns = (column.to(self.process.device) for column in (order, negatives))
        parts = (self.process.shard(column, self.batch_size) for column in columns)
        for rows, negative in zip(*parts, strict=True):
            yield PairBatch(self.users[rows], self.items[rows].long(), negative)
