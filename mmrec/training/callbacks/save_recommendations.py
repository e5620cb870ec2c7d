"""Recommendations that `lightning predict` writes, in raw ids."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytorch_lightning as lightning
import torch
from torch import Tensor

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import require
from mmrec.models.recommender import Recommender

USERS_AT_ONCE = 2**14
"""Lists of a row group of the file: at ten items each large enough for Parquet to compress well, in a few MB."""


class SaveRecommendations(lightning.Callback):
    """Write `recommendations.parquet` (user, item, rank, score) into the run's folder during `predict`.

    Lists are written as they are made, so that memory hardly grows with the users, into a file that takes its name
    when all are there. With several processes each writes its own share, `recommendations.<rank>.parquet`.

    Args:
        top_k: length of each list.

    Raises:
        UserError: top_k is less than 1.
    """

    def __init__(self, top_k: int = 10) -> None:
        require(top_k >= 1, "SaveRecommendations: top_k", top_k, "at least 1")
        self.top_k = top_k
        self._path = Path()
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[Tensor] = []  # users, items and scores of a row group
        self._filled = 0

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Tell the model how long the lists are."""
        if isinstance(pl_module, Recommender):
            pl_module.top_k = self.top_k

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Choose the file."""
        share = "" if trainer.world_size == 1 else f".{trainer.global_rank}"
        self._path = Path(trainer.default_root_dir) / f"recommendations{share}.parquet"
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def on_predict_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: tuple[Tensor, Tensor, Tensor],
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take the lists of a batch: users (B,), their items and scores, both (B, top_k)."""
        # They are copied into room that was there before: what a batch leaves of its own lies between its large blocks,
        # and glibc could not reuse the room that these leave.
        if not self._waiting:
            shapes = ((USERS_AT_ONCE, *column.shape[1:]) for column in outputs)
            self._waiting = [torch.empty(s, dtype=column.dtype) for s, column in zip(shapes, outputs, strict=True)]
        for piece in zip(*(column.split(USERS_AT_ONCE) for column in outputs), strict=True):
            if self._filled + len(piece[0]) > USERS_AT_ONCE:
                self._write(trainer)
            end = self._filled + len(piece[0])
            for column, more in zip(self._waiting, piece, strict=True):
                column[self._filled : end] = more
            self._filled = end

    def on_predict_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write what waits, and give the file its name."""
        self._write(trainer)
        self._close()
        os.replace(self._beside, self._path)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Leave no half of a file behind."""
        begun = self._writer is not None
        self._close()
        if begun:
            self._beside.unlink()

    @property
    def _beside(self) -> Path:
        return self._path.with_name(f".{self._path.name}")

    def _write(self, trainer: lightning.Trainer) -> None:
        """Write what waits as one row group."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, RecDataModule)
        users, items, scores = (column[: self._filled] for column in self._waiting)
        order = users.argsort()  # a batch has its users by the length of their histories
        users, items, scores = users[order], items[order], scores[order]
        self._filled = 0
        length = items.shape[1]
        rows = (
            pl.DataFrame(
                {
                    "user": [data.catalog.user_ids[user] for user in users.repeat_interleave(length).tolist()],
                    "item": data.catalog.item_table["raw_id"].gather(items.flatten().tolist()),
                    "rank": torch.arange(1, length + 1).repeat(len(users)).numpy(),
                    "score": scores.flatten().float().numpy(),
                }
            )
            .filter(pl.col("score").is_finite())  # a user who knows nearly everything has a shorter list
            .to_arrow()
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._beside, rows.schema, compression="zstd")
        self._writer.write_table(rows)

    def _close(self) -> None:
        self._waiting, self._filled = [], 0
        if self._writer is not None:
            self._writer.close()
            self._writer = None
