"""The datamodule: from a source and its options to batches."""

from __future__ import annotations

from collections.abc import Sequence
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
from mmrec.data.features.transforms import FeatureTransforms, read_by
from mmrec.data.features.whitened import whiten_features
from mmrec.data.features.width import choose_width
from mmrec.data.loaders.ablation import InputAblation, ShuffledEvalLoader, ShuffledTrainLoader, ablate_features
from mmrec.data.loaders.evaluation import EvalLoader, uniform_candidates
from mmrec.data.loaders.indexing import EpochSeed, Process
from mmrec.data.loaders.pairs import PairLoader
from mmrec.data.loaders.windows import TrainLoader, Windows
from mmrec.data.prepare import pipeline
from mmrec.data.prepare.held_out import among
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.schema import Source, Split
from mmrec.errors import UserError, require, require_choice, require_whole_number
from mmrec.metrics.ranking import CUTOFFS
from mmrec.utils.seed import global_seed

Candidates = Literal["all", "uniform100", "seen", "unseen"]
SCORE_ELEMENTS = 2**24
"""Scores per evaluation batch, which limits it to 64 MB of fp32, unless `FEWEST` users have more."""
FEWEST = 8
"""Users per evaluation batch of any catalogue: one alone takes as long, as the item vectors are read once per batch."""
LARGEST = {
    "max_length": 2**20,
    "batch_size": 2**31 - 1,
    "pair_batch_size": 2**31 - 1,
    "eval_batch_size": 2**31 - 1,
    "encoder_devices": 1024,
    "whiten": 2**16,
}
"""The largest value of each size; beyond, it is a mistake that would end in an exhausted memory."""


class RecDataModule(pl.LightningDataModule):
    """Prepares the data on first use, encodes its items, and serves batches.

    Args:
        source: reader of the raw files.
        prepare: filters and split rule.
        encoder: encoder of the text and image features; null for models that need none.
        root: folder of the prepared datasets.
        max_length: L, the longest window that a sequence model reads.
        batch_size: B in training on windows.
        pair_batch_size: B in training on pairs, which cost little next to a propagation over the graph, so B is large.
        windows: "all" trains on the whole history, "last" on each user's newest window; see `TrainLoader`.
        eval_batch_size: B in evaluation, held-out interactions; reduced if the catalogue is large.
        candidates: "all" ranks the full catalogue, "uniform100" is the sampled protocol with its own metric names;
            "unseen" ranks targets without training interactions among such items alone, "seen" the other targets
            among the other items; both have their own metric names.
        mask_history: whether a user's history is removed from the candidates; false if repeats are kept and predicted.
        cutoffs: the k of HR@k and NDCG@k; early stopping and the best checkpoint use NDCG@10 unless told otherwise.
        encoder_devices: number of processes that encode, on one GPU each if there are GPUs; "auto" is one per GPU.
        whiten: width to which the features are PCA-whitened, fitted on items of training interactions; "auto" for the
            one that ranks best on the validation split, see `mmrec.data.features.width`; null for off.
        input_ablation: remove one kind of information from the input to test where a gain comes from, see
            `mmrec.data.loaders.ablation`; null for off.

    Raises:
        InvalidArgument: a size is not a whole number or out of range, or an option is not one of the choices.
    """

    def __init__(
        self,
        source: Source,
        *,
        prepare: PrepareOptions = PrepareOptions(),  # noqa: B008  frozen
        encoder: FeatureEncoder | None = None,
        root: str = "data",
        max_length: int = 50,
        batch_size: int = 128,
        pair_batch_size: int = 2048,
        windows: Windows = "all",
        eval_batch_size: int = 256,
        candidates: Candidates = "all",
        mask_history: bool = True,
        cutoffs: list[int] = list(CUTOFFS),  # noqa: B006  never changed
        encoder_devices: Devices = 1,
        whiten: int | Literal["auto"] | None = None,
        input_ablation: InputAblation | None = None,
    ) -> None:
        super().__init__()
        sizes = {
            "max_length": max_length,
            "batch_size": batch_size,
            "pair_batch_size": pair_batch_size,
            "eval_batch_size": eval_batch_size,
            "encoder_devices": 1 if encoder_devices == "auto" else encoder_devices,
            "whiten": 1 if whiten in (None, "auto") else whiten,
        }
        for name, value in sizes.items():
            require_whole_number(name, value, at_least=1, at_most=LARGEST[name])
        require_choice("windows", windows, Windows)
        require_choice("candidates", candidates, Candidates)
        if input_ablation is not None:
            require_choice("input_ablation", input_ablation, InputAblation)
        for cutoff in cutoffs:
            require_whole_number("cutoffs", cutoff, at_least=1)
        require(len(set(cutoffs)) == len(cutoffs) > 0, "cutoffs", cutoffs, "a list of different numbers")
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
        self.cutoffs = tuple(cutoffs)
        self.encoder_devices = encoder_devices
        self.whiten = whiten
        self.input_ablation = input_ablation

        self.predicted_users: Tensor | None = None
        self.transforms: FeatureTransforms | None = None

    @cached_property
    def catalog(self) -> Catalog:
        """The prepared dataset."""
        return Catalog(pipeline.prepare(self.source, self.options, self.root))

    @cached_property
    def features(self) -> Features | None:
        """The item features, whitened and ablated by the options; None without an encoder."""
        if self.encoder is None:
            if self.input_ablation in ("features_shuffled", "features_noise"):
                raise UserError(
                    f"input_ablation is {self.input_ablation}, but the model reads no features: set it to null"
                )
            return None
        folder = extract_features(self.catalog.folder, self.encoder, count_devices(self.encoder_devices))
        features = raw = Features(folder)
        if self.whiten is not None:
            trained = self.catalog.train.popularity.numpy() > 0
            width = choose_width(folder, self.catalog, trained) if self.whiten == "auto" else self.whiten
            features = Features(whiten_features(folder, trained, width))
        if self.transforms is not None:
            features = read_by(self.transforms, features, raw)
        return ablate_features(features, self.input_ablation)

    def keep_transforms(self, transforms: FeatureTransforms) -> None:
        """Let models read the features by the transforms of an earlier run, not by those fitted on this catalogue."""
        self.transforms = transforms
        self.__dict__.pop("features", None)

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
        """Suffix of the metric names of the protocol; empty for full ranking."""
        return "" if self.candidates == "all" else f"_{self.candidates}"

    @property
    def device(self) -> torch.device:
        """Where batches are assembled: the trainer's device, or the CPU without a trainer."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def protocol(self) -> dict[str, object]:
        """Return the options of the evaluation that a result must state to be comparable."""
        return {"split": self.options.split, "candidates": self.candidates, "mask_history": self.mask_history}

    def train_dataloader(self) -> TrainLoader | PairLoader:
        """Return the batches that the trainer's model trains on, windows without a trainer."""
        model = self.trainer.lightning_module if self.trainer else None
        return self.train_loader(getattr(model, "trains_on", "windows"))

    def train_loader(self, trains_on: TrainsOn) -> TrainLoader | PairLoader:
        """Return windows of the training histories, or pairs of a positive and a negative item.

        With `overfit_batches` of the trainer, every epoch has the batches of the first one.

        Raises:
            UserError: the training interactions hold no windows or no pairs, or fewer than there are processes; or the
                model is not trained.
        """
        if trains_on == "nothing":
            raise UserError("the model has nothing to train: run `lightning test` directly")
        view, epoch_seed = self.catalog.train, EpochSeed(global_seed(), self._epoch)
        if trains_on == "pairs":
            pairs = PairLoader(view, batch_size=self.pair_batch_size, epoch_seed=epoch_seed, process=self._process)
            self._process.require_samples(len(pairs.rows), self.pair_batch_size)
            return pairs
        make = ShuffledTrainLoader if self.input_ablation == "order_shuffled" else TrainLoader
        loader = make(
            view,
            max_length=self.max_length,
            batch_size=self.batch_size,
            epoch_seed=epoch_seed,
            windows=self.windows,
            process=self._process,
        )
        if not len(loader.user):
            raise UserError(
                "no user has two training interactions, which leaves no next item to learn: choose another split, or "
                "data with longer histories"
            )
        self._process.require_samples(len(loader.user), self.batch_size)
        return loader

    def _epoch(self) -> int:
        trainer = self.trainer
        return trainer.current_epoch if trainer and not trainer.overfit_batches else 0  # type: ignore[attr-defined]

    @property
    def _process(self) -> Process:
        trainer = self.trainer
        return Process(trainer.global_rank, trainer.world_size, self.device) if trainer else Process()

    def val_dataloader(self) -> EvalLoader:
        """Return the held-out interactions of the validation split."""
        return self.eval_dataloader(Split.VALID)

    def test_dataloader(self) -> EvalLoader:
        """Return the held-out interactions of the test split."""
        return self.eval_dataloader(Split.TEST)

    def predict_dataloader(self) -> EvalLoader:
        """Return the whole history of every user, or of those in `predicted_users`, before an unknown next item."""
        return self.eval_dataloader(None)

    def predict_only(self, raw_ids: Sequence[str]) -> None:
        """Let `predict_dataloader` return some users alone.

        Args:
            raw_ids: ids of the users in the raw data.

        Raises:
            UserError: an id is not among the users of the dataset.
        """
        index = {raw: user for user, raw in enumerate(self.catalog.user_ids)}
        unknown = [raw for raw in raw_ids if raw not in index]
        if unknown:
            some = ", ".join(self.catalog.user_ids[:3])
            raise UserError(
                f"{len(unknown)} of {len(raw_ids)} users are not in {self.catalog.folder}, the first is "
                f"{unknown[0]!r}; its ids look like {some}"
            )
        self.predicted_users = torch.tensor([index[raw] for raw in dict.fromkeys(raw_ids)])

    def eval_dataloader(self, split: Split | None) -> EvalLoader:
        """Return the held-out interactions of a split, or every user's unknown next item for None.

        Raises:
            UserError: the split is empty, or repeated interactions are to be ranked among new items.
        """
        if split is not None and self.mask_history and self.options.repeats == "all":
            raise UserError(
                "repeats: all makes items of a user's history targets, which mask_history: true "
                "removes from the candidates: set mask_history: false, or repeats: first"
            )
        rows = None if split is None else self.catalog.instances(split)
        if rows is not None and not len(rows):
            raise UserError(
                f"the {split.name.lower() if split is not None else ''} split of {self.catalog.folder} is empty: "
                "the users have too few interactions for this kind of split"
            )
        if rows is None or self.candidates == "all":
            return self.loader_of(rows)
        if self.candidates == "uniform100":
            return self.loader_of(rows, uniform_candidates(self.catalog, rows))
        return self.loader_of(*among(self.catalog, rows, self.candidates))

    def sample(self, split: Split, count: int) -> EvalLoader:
        """Return at most `count` held-out interactions of a split, spread evenly over it, the same in every process."""
        rows = self.catalog.instances(split)
        rows = rows[:: max(1, -(-len(rows) // max(1, count)))]
        return self.loader_of(rows, process=Process(device=self._process.device))

    def loader_of(
        self, rows: Tensor | None, candidates: Tensor | None = None, process: Process | None = None
    ) -> EvalLoader:
        """Return held-out interactions, or every user's unknown next item.

        Args:
            rows: (n,) rows of the catalogue's interactions; None for all users.
            candidates: (n, C) items that each target is ranked among; None for all items.
            process: the process that is served; None for this one, which gets its shard.
        """
        make = ShuffledEvalLoader if self.input_ablation == "order_shuffled" else EvalLoader
        return make(
            self.catalog,
            rows,
            users=self.predicted_users,
            max_length=self.max_length,
            batch_size=min(self.eval_batch_size, max(FEWEST, SCORE_ELEMENTS // self.n_items)),
            candidates=candidates,
            process=process or self._process,
        )


def prepare(source: Source, encoder: FeatureEncoder | None = None, **options: Any) -> RecDataModule:
    """Read raw data, filter and split it, encode its items, and return the data module; done once, then reused.

    Args:
        source: reader of the raw files, for example `Tabular`.
        encoder: encoder of the text and image features; None for models of ids alone.
        options: arguments of `PrepareOptions` and of `RecDataModule`, by name.

    Raises:
        UserError: a file is missing or damaged, or nothing is left after the filters.
        InvalidArgument: an option is out of its range.
    """
    names = {field.name for field in fields(PrepareOptions)}
    filters = PrepareOptions(**{name: options.pop(name) for name in list(options) if name in names})
    data = RecDataModule(source, prepare=filters, encoder=encoder, **options)
    _ = data.catalog, data.features  # reading them prepares and encodes
    return data
