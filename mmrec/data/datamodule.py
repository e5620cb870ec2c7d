"""From a source and its options to batches: the one place where data enters a run."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

from mmrec.batch import TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders import FeatureEncoder
from mmrec.data.features.encoders.processes import Devices, count_devices
from mmrec.data.features.extract import extract_features
from mmrec.data.features.store import Features
from mmrec.data.features.whitened import whiten_features
from mmrec.data.loaders.ablation import InputAblation, ShuffledEvalLoader, ShuffledTrainLoader, ablate_features
from mmrec.data.loaders.evaluation import EvalLoader, uniform_candidates
from mmrec.data.loaders.pairs import PairLoader
from mmrec.data.loaders.windows import TrainLoader, Windows
from mmrec.data.prepare import pipeline
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.schema import Source, Split
from mmrec.errors import UserError, require
from mmrec.utils.seed import global_seed

SCORE_ELEMENTS = 2**24  # scores of an evaluation batch: at most 64 MB of fp32, however large the catalogue


class RecDataModule(pl.LightningDataModule):
    """Prepares the data on first use, encodes its items, and serves batches.

    Args:
        source: reads the raw files.
        prepare: filters and split rule.
        encoder: makes the text and image features; null for models that need none.
        root: where prepared datasets are kept.
        max_length: L, the longest window a sequence model reads.
        batch_size: B in training on windows.
        pair_batch_size: B in training on pairs; these are cheap beside a propagation over the graph, so B is large.
        windows: "last" trains on each user's newest window, "all" on the whole history; see `TrainLoader`.
        eval_batch_size: B in evaluation, held-out interactions; less where the catalogue is large.
        candidates: "all" ranks the full catalogue, "uniform100" is the sampled protocol under its own metric names.
        mask_history: remove a user's history from the candidates; false where repeats are kept and predicted.
        encoder_devices: processes that encode, on a GPU each where there are any; "auto" is one for each GPU.
        whiten: PCA-whiten the features to this width, fitted on items of training interactions; null for off.
        input_ablation: remove one kind of information from the input to test where a gain comes from, see
            `mmrec.data.loaders.ablation`; null for off.
    """

    def __init__(
        self,
        source: Source,
        prepare: PrepareOptions = PrepareOptions(),  # noqa: B008  frozen
        encoder: FeatureEncoder | None = None,
        root: str = "data",
        max_length: int = 50,
        batch_size: int = 128,
        pair_batch_size: int = 2048,
        windows: Windows = "last",
        eval_batch_size: int = 256,
        candidates: Literal["all", "uniform100"] = "all",
        mask_history: bool = True,
        encoder_devices: Devices = 1,
        whiten: int | None = None,
        input_ablation: InputAblation | None = None,
    ) -> None:
        super().__init__()
        for name, value in {
            "max_length": max_length,
            "batch_size": batch_size,
            "pair_batch_size": pair_batch_size,
            "eval_batch_size": eval_batch_size,
            "encoder_devices": 1 if encoder_devices == "auto" else encoder_devices,
            "whiten": 1 if whiten is None else whiten,
        }.items():
            require(value >= 1, name, value, "at least 1")
        self.source = source
        self.options = prepare
        self.encoder = encoder
        self.root = Path(root)
        self.max_length = max_length
        self.batch_size = batch_size
        self.pair_batch_size = pair_batch_size
        self.windows = windows
        self.eval_batch_size = eval_batch_size
        self.candidates = candidates
        self.mask_history = mask_history
        self.encoder_devices = encoder_devices
        self.whiten = whiten
        self.input_ablation = input_ablation

    @cached_property
    def catalog(self) -> Catalog:
        """The prepared dataset."""
        return Catalog(pipeline.prepare(self.source, self.options, self.root))

    @cached_property
    def features(self) -> Features | None:
        """The item features, whitened if asked, or None without an encoder."""
        if self.encoder is None:
            if self.input_ablation in ("features_shuffled", "features_noise"):
                raise UserError(
                    f"data.input_ablation is {self.input_ablation}, but the model reads no features: set it to null"
                )
            return None
        folder = extract_features(self.catalog.folder, self.encoder, count_devices(self.encoder_devices))
        if self.whiten is not None:
            folder = whiten_features(folder, self.catalog.train.popularity.numpy() > 0, self.whiten)
        return ablate_features(Features(folder), self.input_ablation)

    @property
    def n_users(self) -> int:
        """U."""
        return self.catalog.n_users

    @property
    def n_items(self) -> int:
        """I, padding included."""
        return self.catalog.n_items

    @property
    def text_dim(self) -> int:
        """Width of the text features, 0 if there are none."""
        return 0 if self.features is None else self.features.text_dim

    @property
    def image_dim(self) -> int:
        """Width of the image features, 0 if there are none."""
        return 0 if self.features is None else self.features.image_dim

    @property
    def metric_suffix(self) -> str:
        """What the metrics of the protocol are named with."""
        return "" if self.candidates == "all" else f"_{self.candidates}"

    @property
    def device(self) -> torch.device:
        """Where batches are put together: on the trainer's device, the CPU without a trainer."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def protocol(self) -> dict[str, object]:
        """Return what a result must carry to be comparable."""
        return {"split": self.options.split, "candidates": self.candidates, "mask_history": self.mask_history}

    def train_dataloader(self) -> TrainLoader | PairLoader:
        """Batches of what the trainer's model trains on, windows without one."""
        model = self.trainer.lightning_module if self.trainer else None
        return self.train_loader(getattr(model, "trains_on", "windows"))

    def train_loader(self, trains_on: TrainsOn) -> TrainLoader | PairLoader:
        """Return windows of the training sequences, or pairs of a positive and a negative item.

        Raises:
            UserError: the training interactions have none, or the model trains on nothing.
        """
        trainer = self.trainer
        view, seed = self.catalog.train, global_seed()
        epoch = (lambda: trainer.current_epoch) if trainer else (lambda: 0)
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        if trains_on == "nothing":
            raise UserError("the model has nothing to train: run `lightning test` directly")
        if trains_on == "pairs":
            return PairLoader(view, self.pair_batch_size, seed, epoch, rank, world, self.device)
        make = ShuffledTrainLoader if self.input_ablation == "order_shuffled" else TrainLoader
        loader = make(view, self.max_length, self.batch_size, seed, epoch, self.windows, rank, world, self.device)
        if not len(loader.user):
            raise UserError(
                "no user has two training interactions, so there is no next item to learn: raise "
                "data.prepare.user_core or choose another data.prepare.split"
            )
        return loader

    def val_dataloader(self) -> EvalLoader:
        """Held-out interactions of the validation split."""
        return self.eval_dataloader(Split.VALID)

    def test_dataloader(self) -> EvalLoader:
        """Held-out interactions of the test split."""
        return self.eval_dataloader(Split.TEST)

    def predict_dataloader(self) -> EvalLoader:
        """Every user's whole history."""
        return self.eval_dataloader(None)

    def eval_dataloader(self, split: Split | None) -> EvalLoader:
        """Return the held-out interactions of a split, or every user's unknown next item for None.

        Raises:
            UserError: the split is empty, or repeated interactions are to be ranked among new items.
        """
        if split is not None and self.mask_history and self.options.repeats == "all":
            raise UserError(
                "data.prepare.repeats: all makes items that a user knows targets, and data.mask_history: true removes "
                "all others that the user knows from beside them: set mask_history: false, or repeats: first"
            )
        rows = None if split is None else self.catalog.instances(split)
        if rows is not None and not len(rows):
            raise UserError(
                f"the {split.name.lower() if split is not None else ''} split of {self.catalog.folder} is empty: "
                "the users have too few interactions for data.prepare.split"
            )
        sampled = rows is not None and self.candidates == "uniform100"
        return self.loader_of(rows, uniform_candidates(self.catalog, rows) if sampled and rows is not None else None)

    def loader_of(self, rows: Tensor | None, candidates: Tensor | None = None) -> EvalLoader:
        """Return held-out interactions, or every user's unknown next item.

        Args:
            rows: (n,) of the catalogue's interactions; None for all users.
            candidates: (n, C) items that each is ranked among; None for all.
        """
        make = ShuffledEvalLoader if self.input_ablation == "order_shuffled" else EvalLoader
        return make(
            self.catalog,
            rows,
            self.max_length,
            batch_size=min(self.eval_batch_size, max(1, SCORE_ELEMENTS // self.n_items)),
            candidates=candidates,
            rank=self.trainer.global_rank if self.trainer else 0,
            world=self.trainer.world_size if self.trainer else 1,
            device=self.device,
        )


def prepare(source: Source, encoder: FeatureEncoder | None = None, **options: Any) -> RecDataModule:
    """Read raw data, filter and split it, encode its items, and return the data module; done once, then reused.

    Args:
        source: reads the raw files, for example `Tabular`.
        encoder: makes the text and image features; None for models of ids alone.
        options: arguments of `PrepareOptions` and of `RecDataModule`, by name.

    Raises:
        UserError: a file is missing or damaged, or nothing is left after the filters.
        InvalidArgument: an option is out of its range.
    """
    names = {field.name for field in fields(PrepareOptions)}
    filters = PrepareOptions(**{name: options.pop(name) for name in list(options) if name in names})
    data = RecDataModule(source, prepare=filters, encoder=encoder, **options)
    _ = data.catalog, data.features  # what is read here is prepared and encoded on the way
    return data
