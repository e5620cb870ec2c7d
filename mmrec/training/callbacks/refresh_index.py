"""Rebuild the neighbour table at the start of every training epoch (paper, section 3.2)."""

from __future__ import annotations

import pytorch_lightning as pl

from mmrec.models.recommender import Recommender


class RefreshIndex(pl.Callback):
    """Rebuilds the neighbour table from the current item vectors, and logs the share of neighbours that changed.

    Models without retrieval are left as they are.
    """

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refresh before the epoch's first batch."""
        churn = pl_module.refresh_neighbours() if isinstance(pl_module, Recommender) else None
        if churn is not None:
            pl_module.log("train/neighbour_churn", churn)
