"""GRU4Rec of mmrec: a bounded number of steps of `lightning fit`, each user's newest window."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from importlib.metadata import version

import pytorch_lightning as pl
import torch
from harness import data_module, quiet_trainer

from mmrec.models.gru4rec import GRU4Rec
from mmrec.utils.allocator import keep_freed_memory
from peers.common import peak_memory_mb
from peers.step_clock import StepClock


@dataclass(frozen=True)
class GruSettings:
    """One GRU4Rec with full cross-entropy, and the data it is trained on.

    Args:
        config: the data section of a run, for mmrec.
        root: where prepared datasets are kept, for mmrec.
        folder: where `train/train.inter` lies, for RecBole.
        steps: timed steps, after `warm_up` others.
        length: longest window L.
        batch_size: windows of a step of mmrec.
        peer_batch_size: rows of a step of RecBole, by its default; a row has one target.
        embedding_dim: width of the item vectors.
        hidden_dim: width of the GRU layers, by RecBole's default.
    """

    config: str
    root: str
    folder: str = ""
    seed: int = 1
    threads: int = 2
    warm_up: int = 3
    steps: int = 48
    length: int = 50
    batch_size: int = 128
    peer_batch_size: int = 2048
    embedding_dim: int = 64
    hidden_dim: int = 128
    layers: int = 1
    dropout: float = 0.2
    lr: float = 1e-3


def main() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    settings = GruSettings(**json.loads(sys.argv[1]))
    keep_freed_memory()  # as the command line does at start-up
    torch.set_num_threads(settings.threads)
    pl.seed_everything(settings.seed)
    windows = {"windows": "last", "max_length": settings.length, "batch_size": settings.batch_size}
    data = data_module(settings.config, root=settings.root, **windows)
    model = GRU4Rec(
        n_items=data.n_items,
        embedding_dim=settings.embedding_dim,
        hidden_dim=settings.hidden_dim,
        layers=settings.layers,
        dropout=settings.dropout,
        lr=settings.lr,
    )
    clock = StepClock()
    trainer = quiet_trainer(max_epochs=-1, max_steps=settings.warm_up + settings.steps, callbacks=[clock])
    trainer.fit(model, datamodule=data)
    result = {
        "versions": {name: version(name) for name in ("mmrec", "torch", "pytorch-lightning")},
        "parameters": sum(p.numel() for p in model.parameters()),
        "step_ends": clock.ends,
        "step_targets": clock.targets,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
