"""SASRec of mmrec, as `lightning fit` would run it."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
import torch
from harness import data_module, quiet_trainer

from mmrec.data.datamodule import RecDataModule
from mmrec.models.sasrec import SASRec
from mmrec.nn.kernels.precision import set_loss_precision
from mmrec.utils.allocator import keep_freed_memory
from peers.common import EpochClock, Settings, report, timed_tests


class Clock(EpochClock, pl.Callback):
    """Times training epochs."""


def newest_windows(settings: Settings) -> RecDataModule:
    """Serve each user's newest window, as SASRec trains."""
    sizes = {name: getattr(settings, name) for name in ("root", "batch_size", "eval_batch_size")}
    return data_module(settings.config, windows="last", max_length=settings.length, **sizes)


def main() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    settings = Settings.from_command_line()
    keep_freed_memory()  # as the command line does at start-up
    torch.set_num_threads(settings.threads)
    pl.seed_everything(settings.seed)
    set_loss_precision(settings.loss_precision)
    data = newest_windows(settings)
    model = SASRec(
        n_items=data.n_items,
        max_length=settings.length,
        hidden_dim=settings.hidden_dim,
        layers=settings.layers,
        heads=settings.heads,
        ffn_dim=settings.ffn_dim,
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
        lr=settings.lr,
    )
    clock = Clock(settings.clock)
    trainer = quiet_trainer(
        max_epochs=1 + settings.epochs,
        limit_train_batches=settings.steps,
        limit_test_batches=settings.steps,
        callbacks=[clock],
    )
    trainer.fit(model, datamodule=data)
    seconds, results = timed_tests(
        settings.tests, lambda: trainer.test(model, datamodule=data, verbose=False), settings.clock
    )
    parameters = sum(p.numel() for p in model.parameters())
    report(("mmrec", "torch", "pytorch-lightning"), parameters, clock, seconds, results["test/ndcg@10"])


if __name__ == "__main__":
    main()
