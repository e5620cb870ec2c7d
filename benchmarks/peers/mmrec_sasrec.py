"""SASRec of mmrec, as `lightning fit` would run it."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser

from mmrec.allocator import keep_freed_memory
from mmrec.configs import locate_configs
from mmrec.data.datamodule import RecDataModule
from mmrec.models.sasrec import SASRec
from peers.common import EpochClock, Settings, report, timed_tests


class Clock(EpochClock, pl.Callback):
    """Times training epochs."""


def data_module(settings: Settings) -> RecDataModule:
    """Read the data section of a run; SASRec needs no features, so that no encoder runs."""
    parser = ArgumentParser()
    parser.add_class_arguments(RecDataModule, "data", sub_configs=True)
    config = locate_configs(["--config", settings.config])[1]
    options = {
        "encoder": None,
        "root": settings.root,
        "windows": "last",
        "max_length": settings.length,
        "batch_size": settings.batch_size,
    }
    options["eval_batch_size"] = settings.eval_batch_size
    arguments = [f"--data={config}", *(f"--data.{key}={value or 'null'}" for key, value in options.items())]
    data: RecDataModule = parser.instantiate_classes(parser.parse_args(arguments)).data
    return data


def main() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    settings = Settings.from_command_line()
    keep_freed_memory()  # as the command line does at start-up
    torch.set_num_threads(settings.threads)
    pl.seed_everything(settings.seed)
    data = data_module(settings)
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
    clock = Clock()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        precision=settings.precision,
        max_epochs=1 + settings.epochs,
        callbacks=[clock],
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data)
    seconds, results = timed_tests(settings.tests, lambda: trainer.test(model, datamodule=data, verbose=False))
    parameters = sum(p.numel() for p in model.parameters())
    report(("mmrec", "torch", "pytorch-lightning"), parameters, clock, seconds, results["test/ndcg@10"])


if __name__ == "__main__":
    main()
