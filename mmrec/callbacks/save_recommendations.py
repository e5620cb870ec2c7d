"""The lists that `predict` makes, in raw ids."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import BasePredictionWriter

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import require
from mmrec.models.recommender import Recommender


class SaveRecommendations(BasePredictionWriter):
    """Write `recommendations.parquet` (user, item, rank, score) into the run's folder after `predict`.

    With several processes each writes its own share, `recommendations.<rank>.parquet`.

    Args:
        top_k: length of each list.
    """

    def __init__(self, top_k: int = 10) -> None:
        super().__init__(write_interval="epoch")
        require(top_k >= 1, "SaveRecommendations: top_k", top_k, "at least 1")
        self.top_k = top_k

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Tell the model how long the lists are."""
        super().setup(trainer, pl_module, stage)
        if isinstance(pl_module, Recommender):
            pl_module.top_k = self.top_k

    def write_on_epoch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write the lists."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, RecDataModule)
        users, items, scores = (torch.cat(column).cpu() for column in zip(*predictions, strict=True))
        order = users.argsort()
        users, items, scores = users[order], items[order], scores[order]
        length = items.shape[1]
        table = pl.DataFrame(
            {
                "user": [data.catalog.user_ids[user] for user in users.repeat_interleave(length).tolist()],
                "item": data.catalog.item_table["raw_id"].gather(items.flatten().tolist()),
                "rank": torch.arange(1, length + 1).repeat(len(users)).numpy(),
                "score": scores.flatten().float().numpy(),
            }
        ).filter(pl.col("score").is_finite())  # a user who knows nearly everything has a shorter list
        share = "" if trainer.world_size == 1 else f".{trainer.global_rank}"
        path = Path(trainer.default_root_dir) / f"recommendations{share}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}")
        table.write_parquet(beside)
        os.replace(beside, path)
