"""GRU4Rec of RecBole, used as its documentation says: its dataset, its loader, its trainer, its loss "CE".

RecBole makes a row of every target, with the window before it. An epoch of MovieLens-1M has close to a million rows:
the loader ends after a bounded number of batches.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataloader import TrainDataLoader
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import GRU4Rec
from recbole.trainer import Trainer
from recbole.utils import init_seed

from peers.common import peak_memory_mb

if TYPE_CHECKING:  # its module needs mmrec
    from peers.mmrec_gru4rec import GruSettings


class BoundedLoader(TrainDataLoader):
    """Serves a number of batches in all and notes when the trainer is done with each.

    Args:
        config: of RecBole.
        dataset: of the training rows.
        batches: in all epochs together.
    """

    def __init__(self, config: Config, dataset: Dataset, batches: int) -> None:
        super().__init__(config, dataset, None, shuffle=config["shuffle"])
        self.batches = batches
        self.ends: list[float] = []
        self.targets: list[int] = []

    def __iter__(self) -> Iterator[Interaction]:
        for batch in islice(super().__iter__(), self.batches - len(self.ends)):
            yield batch
            self.ends.append(perf_counter())
            self.targets.append(len(batch))


def configure(settings: GruSettings) -> Config:
    """Name the atomic file, and the options of GRU4Rec; all rows are for training."""
    options = {
        "data_path": settings.folder,
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": settings.length,
        "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "group_by": "user", "order": "TO", "mode": "full"},
        "embedding_size": settings.embedding_dim,
        "hidden_size": settings.hidden_dim,
        "num_layers": settings.layers,
        "dropout_prob": settings.dropout,
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "train_batch_size": settings.peer_batch_size,
        "learning_rate": settings.lr,
        "seed": settings.seed,
        "use_gpu": False,
        "state": "ERROR",
    }
    return Config(model="GRU4Rec", dataset="train", config_dict=options)


def main() -> None:
    settings = cast("GruSettings", SimpleNamespace(**json.loads(sys.argv.pop())))  # RecBole reads arguments of its own
    logging.getLogger().setLevel(logging.ERROR)
    torch.set_num_threads(settings.threads)
    os.chdir(settings.folder)  # the trainer leaves its log where it runs
    config = configure(settings)
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config).build()[0]
    steps = settings.warm_up + settings.steps
    loader = BoundedLoader(config, dataset, steps)
    config["epochs"] = -(-steps // len(loader))
    model = GRU4Rec(config, dataset)
    Trainer(config, model).fit(loader, verbose=False, saved=False)
    result = {
        "versions": {name: version(name) for name in ("recbole", "torch", "numpy", "scipy", "pandas")},
        "parameters": sum(p.numel() for p in model.parameters()),
        "epoch_targets": len(dataset),
        "step_ends": loader.ends,
        "step_targets": loader.targets,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
