"""Steps of `lightning fit`, timed one by one."""

from __future__ import annotations

from time import perf_counter

import pytorch_lightning as pl

from mmrec.batch import PAD, TrainBatch


class StepClock(pl.Callback):
    """Notes when each step ends and how many targets it had; a step begins where the one before it ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.targets: list[int] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: TrainBatch, batch_idx: int
    ) -> None:
        """Take the time and count."""
        self.ends.append(perf_counter())
        self.targets.append(int((batch.targets != PAD).sum()))
