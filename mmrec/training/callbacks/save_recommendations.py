"""Recommendations that `lightning predict` writes, in raw ids."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError, require
from mmrec.models.recommender import Recommender
from mmrec.training.limits import cut_short

log = logging.getLogger(__name__)

USERS_AT_ONCE = 2**14
"""Lists per row group of the file: with ten items each, enough for Parquet to compress well, in a few MB."""
SCHEMA = {"user": pl.String, "item": pl.String, "rank": pl.Int64, "score": pl.Float32}


class SaveRecommendations(lightning.Callback):
    """Writes `recommendations.parquet` (user, item, rank, score) into the run's folder during `predict`.

    Lists are written as they are computed, so that memory hardly grows with the number of users, into a file that gets
    its name when all are written. Each of several processes writes its shard, and the first one joins them; for
    processes on several machines the run's folder must be one that all of them see. A prediction that
    `limit_predict_batches` or `fast_dev_run` cuts short writes nothing.

    Args:
        top_k: length of each list.

    Raises:
        InvalidArgument: top_k is less than 1.
    """

    def __init__(self, top_k: int = 10) -> None:
        require(top_k >= 1, "top_k", top_k, "at least 1")
        self.top_k = top_k
        self._writing = False
        self._path = self._partial = Path()
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[Tensor] = []  # users, items and scores of a row group
        self._filled = 0

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Set the length of the lists on the model.

        Raises:
            UserError: lists of some candidates alone are asked for.
        """
        if isinstance(pl_module, Recommender):
            pl_module.top_k = self.top_k
        if stage == "predict" and (candidates := trainer.datamodule.candidates) != "all":  # type: ignore[attr-defined]
            raise UserError(
                f"--data.candidates {candidates}: `predict` makes lists from the whole catalogue: pass "
                "--data.candidates all"
            )

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Choose the file, unless the prediction is cut short."""
        self._writing = not cut_short(trainer.limit_predict_batches)
        if not self._writing:
            return
        self._path = Path(trainer.default_root_dir) / "recommendations.parquet"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = self._shard(trainer.global_rank)

    def on_predict_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: tuple[Tensor, Tensor, Tensor],
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the lists of a batch: users (B,), their items and scores, both (B, top_k)."""
        if not self._writing:
            return
        # Copied into memory that was allocated before: small tensors of a batch would lie between its large blocks, and
        # glibc could not reuse the memory of these.
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
        """Write the remaining lists, join the shards of all processes, and give the file its name."""
        if not self._writing:
            rank_zero_info("the prediction was cut short by limit_predict_batches: no recommendations are written")
            return
        self._write(trainer)
        if not trainer.is_global_zero:
            self._close()
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            for rank in range(1, trainer.world_size):
                self._join(self._shard(rank))
            self._close()
            os.replace(self._partial, self._path)
            log.info("recommendations written to %s", self._path)
        self._writing = False

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Remove a file that is not complete; the first process also removes the shards that it was to join."""
        self._close()
        if self._writing:
            self._writing = False
            for rank in range(trainer.world_size) if trainer.is_global_zero else (trainer.global_rank,):
                self._shard(rank).unlink(missing_ok=True)

    def _shard(self, rank: int) -> Path:
        return self._path.with_name(f".{self._path.name}.{rank}")

    def _write(self, trainer: lightning.Trainer) -> None:
        """Write the waiting lists as one row group."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, RecDataModule)
        users, items, scores = (column[: self._filled] for column in self._waiting)
        order = users.argsort()  # a batch is ordered by the length of histories
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
                },
                schema=SCHEMA,  # a process without a user would have columns without a type
            )
            .filter(pl.col("score").is_finite())  # a user who has nearly every item has a shorter list
            .to_arrow()
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._partial, rows.schema, compression="zstd")
        self._writer.write_table(rows)

    def _join(self, shard: Path) -> None:
        """Move the lists of another process to the end of the file, one row group at a time."""
        assert self._writer is not None  # `_write` opens it
        with pq.ParquetFile(shard) as file:
            for group in range(file.num_row_groups):
                self._writer.write_table(file.read_row_group(group))
        shard.unlink()

    def _close(self) -> None:
        self._waiting, self._filled = [], 0
        if self._writer is not None:
            self._writer.close()
            self._writer = None
