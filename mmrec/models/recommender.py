"""The base of every model: training, full ranking, recommendation, logging and optimisation."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser
from torch import Tensor

from mmrec.batch import PAD, EvalBatch, PairBatch, SequenceBatch, TrainBatch, TrainsOn
from mmrec.compat import complete_epoch
from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders.base import MODALITIES, Modality
from mmrec.data.features.store import Features
from mmrec.errors import Diverged, InvalidArgument, require
from mmrec.metrics.beyond_accuracy import LENGTH, BeyondAccuracy
from mmrec.metrics.means import SampleMeans
from mmrec.metrics.ranking import RankingMetrics, candidate_scores, rank_of_target
from mmrec.models.checkpoint import require_same_data, require_same_model
from mmrec.models.rows import Rows, append_rows
from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.kernels.topk import largest
from mmrec.utils.seed import global_seed

if TYPE_CHECKING:
    from mmrec.data.datamodule import RecDataModule

T = TypeVar("T")

FROM_DATA = ("n_users", "n_items", "text_dim", "image_dim", "max_length")
"""Arguments of a model that its data give; a model that does not name one in its constructor is not given it."""


class Recommender(pl.LightningModule):
    """A model that scores all items for each user of a batch.

    A subclass defines `encode_users`, `item_vectors` and `losses`, and `attach` if it needs the graph, the features or
    the training pairs. A model that is not a dot product overrides `score` instead of the first two. Constructor
    arguments are plain values, so that configs and checkpoints can hold them.

    `trains_on` names the batches that `losses` gets: "windows" of sequences, "pairs" of a positive and a negative item,
    or "nothing" for a model without parameters, which `attach` makes ready.

    Args:
        lr: learning rate of AdamW.
        weight_decay: weight decay of AdamW.

    Raises:
        InvalidArgument: an option is outside its range.
    """

    trains_on: ClassVar[TrainsOn] = "windows"
    reads_history: ClassVar[bool] = True
    """Whether users are encoded from their histories; False for a learned vector per user of the data."""

    def __init__(self, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__()
        require(lr > 0, "lr", lr, "above 0")
        require(weight_decay >= 0, "weight_decay", weight_decay, "at least 0")
        self.lr = lr
        self.weight_decay = weight_decay
        self.mask_history = True
        self.top_k = 10
        self.data_hash = ""
        self.attach_seconds = 0.0
        self.terms = SampleMeans()
        self.metrics = RankingMetrics()
        self.beyond_accuracy: BeyondAccuracy | None = None
        self._evaluation: dict[str, object] | None = None

    @classmethod
    def for_data(cls, data: RecDataModule, **options: Any) -> Self:
        """Return a model of this class for a prepared dataset.

        Args:
            data: gives the numbers of users and items, the widths of the features and the length of the windows.
            options: further arguments of the constructor.
        """
        return cls(**{**sizes_of(data, cls), **options})

    # What a model defines.

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take what the model needs from the data: the train-only view, the features. Called before any step."""

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return named scalars of a `TrainBatch` or a `PairBatch`, as `trains_on` says.

        "loss" is minimised. The others are its terms and are logged; "loss_rec" is the term that learns to recommend.
        """
        raise NotImplementedError  # abstract

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return (B, D), the vector of each user of the batch."""
        raise NotImplementedError  # abstract

    def item_vectors(self) -> Tensor:
        """Return (I, D), the vectors of all items; row 0 is padding."""
        raise NotImplementedError  # abstract

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return (B, I), a score for every item, in fp32: rounded scores would tie, and ties change ranks."""
        users, items = self.encode_users(batch), self.item_vectors()
        with torch.autocast(users.device.type, enabled=False):
            return users.float() @ items.float().T

    @property
    def is_dot_product(self) -> bool:
        """Whether scores are the products of user and item vectors."""
        return type(self).score is Recommender.score

    @property
    def has_item_vectors(self) -> bool:
        """Whether items have vectors, by which they are similar; the scores may be more than their products."""
        return type(self).item_vectors is not Recommender.item_vectors

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the trainable parameters in groups for the optimizer; one group by default."""
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    # Items that come after training.

    def row_parameters(self) -> dict[str, Rows]:
        """Return the parameters with a row per user or item, by name, with the row of an item not trained on."""
        return {}

    @property
    def read_modalities(self) -> tuple[Modality, ...]:
        """The modalities of the items that the model reads; empty if it knows items by id alone."""
        parts = [part for part in self.modules() if isinstance(part, ItemFeatures)]
        return tuple(name for name in MODALITIES if any(name in part.modalities for part in parts))

    def add_items(self, catalog: Catalog, features: Features) -> None:
        """Take a catalogue with new items at its end, scored by their features; scores of trained items stay.

        Args:
            catalog: the catalogue that the model is attached to, grown once by `Catalog.with_items`.
            features: the features of its items, with the transforms of the model.

        Raises:
            InvalidArgument: the model knows items by id alone.
        """
        self.append_items(catalog.n_items, catalog.added[-1])
        self.attach(catalog, features)

    def append_items(self, n_items: int, count: int) -> None:
        """Append the rows of new items to the parameters that have a row per item.

        Args:
            n_items: I with the new items.
            count: number of new items.

        Raises:
            InvalidArgument: the model knows items by id alone.
        """
        self.require_content()
        for name, rows in self.row_parameters().items():
            append_rows(self, name, rows, count)
        self.hparams["n_items"] = n_items
        self.end_evaluation()

    def require_content(self) -> None:
        """Raise InvalidArgument if the model knows items by id alone."""
        if not self.read_modalities:
            raise InvalidArgument(
                "items",
                f"items cannot be added: {type(self).__name__} knows items by their ids alone here, and a new item has "
                "no interactions to learn from; train a model that reads text or images, for example with text: true",
            )

    # What a model that retrieves or explains defines too.

    def neighbours(self) -> Tensor | None:
        """Return the retrieved neighbours (I, K) of each item; None for a model without retrieval."""
        return None

    def refresh_neighbours(self) -> float | None:
        """Rebuild the neighbours from the current item vectors, if the model has any; return their churn.

        See `NeighbourTable.refresh`.
        """
        return None

    def signals(self, batch: SequenceBatch) -> list[dict[str, float]]:
        """Return numbers behind the scores of each user of the batch, as evidence for an explanation."""
        return [{} for _ in batch.user]

    def item_signals(self, items: list[int]) -> list[dict[str, float]]:
        """Return numbers behind the vector of each item, as evidence for an explanation."""
        return [{} for _ in items]

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return vectors (n, D), in the space of users and items, of any text features (n, T); None without text."""
        return None

    # Ranking and recommending.

    def recommend(self, batch: SequenceBatch, k: int) -> tuple[Tensor, Tensor]:
        """Return the scores and items (B, k) with the highest scores, excluding each user's history.

        If fewer than k items are left, the last scores are -inf and their items have no meaning.

        Raises:
            Diverged: a score is not finite.
        """
        scores = self.finite_scores(batch)
        scores = scores.index_put(self._excluded(batch), torch.tensor(-torch.inf, device=scores.device))
        best = largest(scores, min(k, scores.shape[1]))
        return best.values, best.columns

    def ranks(self, batch: EvalBatch) -> Tensor:
        """Return the rank (B,) of each target among all items or the batch's candidates, except the history.

        Raises:
            Diverged: a score is not finite.
        """
        return rank_of_target(*self._candidates(batch))

    def finite_scores(self, batch: SequenceBatch) -> Tensor:
        """Return `score`; every rank and every list is made from it.

        Raises:
            Diverged: a score is not finite.
        """
        scores = self.score(batch)
        if not torch.isfinite(scores.sum()) and not torch.isfinite(scores).all():
            raise Diverged(
                "the model gives an item a score that is not finite, because its training has diverged: lower lr, or "
                "train with precision 32"
            )
        return scores

    def _candidates(self, batch: EvalBatch) -> tuple[Tensor, Tensor]:
        """Return the candidates' scores (B, C), -inf for excluded items, and the target's column (B,)."""
        scores = candidate_scores(self.finite_scores(batch), batch.target, self._excluded(batch))
        if batch.candidates is None:
            return scores, batch.target
        target = batch.target[:, None]
        others = scores.gather(1, batch.candidates).masked_fill(batch.candidates == target, -torch.inf)
        return torch.cat([scores.gather(1, target), others], dim=1), torch.zeros_like(batch.target)

    def _excluded(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return rows and items (n,), (n,) that are excluded: PAD, and the history unless `mask_history` is false."""
        rows = torch.arange(len(batch.user), device=batch.user.device)
        padding = torch.full_like(rows, PAD)
        if not self.mask_history:
            return rows, padding
        # A full window holds no PAD, so PAD is added for every row.
        row, item = batch.history()
        return torch.cat([rows, row]), torch.cat([padding, item])

    # What Lightning calls, in the order of a run.

    def setup(self, stage: str) -> None:
        """Attach the data and its protocol."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        catalog, features = data.catalog, data.features  # read from disk here if they were not yet
        started = time.perf_counter()
        self.attach(catalog, features)
        self.attach_seconds = time.perf_counter() - started
        self.data_hash = data.catalog.manifest.data_hash
        self.mask_history = data.mask_history
        self.metrics = RankingMetrics(data.metric_suffix, data.cutoffs)
        if stage == "test":
            # A list made from sampled candidates is not one that a user would see.
            listed = data.candidates == "all"
            self.beyond_accuracy = BeyondAccuracy(catalog.train.popularity, _vectors(features)) if listed else None
        # Every process derives the buffers from the same data or parameters, so DDP need not broadcast them at each
        # step. It could not, either, because some are sparse.
        self._ddp_params_and_buffers_to_ignore = [name for name, _ in self.named_buffers()]

    def configure_optimizers(self) -> torch.optim.Optimizer | None:
        """Return AdamW, or None for a model without parameters."""
        groups = self.parameter_groups()
        if not any(group["params"] for group in groups):
            return None
        fused = not self._clips_under_mixed_precision()
        return torch.optim.AdamW(groups, self.lr, weight_decay=self.weight_decay, fused=fused)

    def _clips_under_mixed_precision(self) -> bool:
        """Return whether the trainer clips gradients under mixed precision, which a fused optimizer does not allow."""
        try:
            trainer = self.trainer
        except RuntimeError:  # without a trainer
            return False
        return bool(trainer.gradient_clip_val) and "mixed" in str(trainer.precision)

    def on_train_epoch_start(self) -> None:
        """Set the seed from (seed, epoch), so that a resumed run draws what an uninterrupted run would have drawn."""
        # Each process has its own seed; with a common one, all would drop the same elements.
        torch.manual_seed(global_seed() * 1_000_003 + self.current_epoch + 7919 * self.global_rank)

    def on_train_start(self) -> None:
        """Train with dropout, and anew from the parameters, though the model may have answered questions before."""
        if not self.training:
            self.train()

    def training_step(self, batch: TrainBatch | PairBatch, batch_idx: int) -> Tensor:
        """Return "loss" and collect all terms for the log."""
        losses = self.losses(batch)
        self.terms.add(losses, len(batch.user))
        return losses["loss"]

    def on_train_epoch_end(self) -> None:
        """Log the mean of each term over the samples of the epoch, over all processes."""
        for name, value in self.terms.compute().items():
            self.log(
                f"train/{name}", value, prog_bar=name == "loss", batch_size=self.terms.samples, sync_dist=True
            )  # fmt: skip
        self.terms = SampleMeans()

    @property
    def needs_user(self) -> bool:
        """Whether a user of the data must be named, since each has its own vector."""
        return not self.reads_history or getattr(self, "known_users", None) is not None

    def train(self, mode: bool = True) -> Self:
        """Enter training or evaluation mode; training forgets what was reused, see `once_per_evaluation`."""
        if mode:
            self._evaluation = None
        return super().train(mode)

    @property
    def evaluating(self) -> bool:
        """Whether what depends on the parameters alone is kept, see `begin_evaluation`."""
        return self._evaluation is not None

    def begin_evaluation(self) -> None:
        """Start to collect ranks, and to reuse what depends on the parameters alone, see `once_per_evaluation`."""
        self._evaluation = {}
        self.metrics.reset()

    def end_evaluation(self) -> None:
        """Forget what was reused; the ranks stay readable."""
        self._evaluation = None

    on_validation_epoch_start = on_test_epoch_start = on_predict_epoch_start = begin_evaluation

    def validation_step(self, batch: EvalBatch, batch_idx: int) -> None:
        """Rank the held-out items."""
        self.metrics.update(batch.instance, self.ranks(batch) if len(batch.user) else _no_ranks(batch))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics that select the model."""
        self._log_metrics("valid")

    def test_step(self, batch: EvalBatch, batch_idx: int) -> None:
        """Rank the held-out items, and count the items on the lists."""
        if not len(batch.user):
            self.metrics.update(batch.instance, _no_ranks(batch))
            return
        scores, target = self._candidates(batch)
        self.metrics.update(batch.instance, rank_of_target(scores, target))
        if self.beyond_accuracy is not None:
            best = largest(scores, min(LENGTH, scores.shape[1]))
            self.beyond_accuracy.update(best.columns, best.values)

    def on_test_epoch_end(self) -> None:
        """Log the final metrics."""
        self._log_metrics("test")
        if self.beyond_accuracy is not None:
            self.beyond_accuracy.compute()  # on every process, so that the first has what all have counted

    def _log_metrics(self, split: str) -> None:
        self.end_evaluation()
        # Every process has gathered all ranks, so the mean over processes is a mean of equal numbers.
        self.log_dict({f"{split}/{name}": value for name, value in self.metrics.compute().items()}, sync_dist=True)

    def predict_step(self, batch: EvalBatch, batch_idx: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return users (B,) and their `top_k` items and scores, both (B, k)."""
        if not len(batch.user):
            return batch.user, batch.user.new_empty(0, self.top_k), _no_ranks(batch).new_empty(0, self.top_k)
        scores, items = self.recommend(batch, self.top_k)
        return batch.user, items, scores

    def on_predict_epoch_end(self) -> None:
        """Forget what was reused."""
        self.end_evaluation()

    # Checkpoints.

    def save_hyperparameters(self, *args: Any, **kwargs: Any) -> None:
        """Save the options that the class is constructed from, and no others.

        The command line passes all that the data offers, and a subclass also saves the options of its base. A
        checkpoint with either could not be loaded by its path.
        """
        frame = inspect.currentframe()
        super().save_hyperparameters(*args, **{"frame": frame.f_back if frame else None, **kwargs})
        own = option_names(type(self))  # type: ignore[arg-type]  # classes are hashable
        for name in [name for name in self.hparams if name not in own and not name.startswith("_")]:
            del self.hparams[name]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the identity of the data and of the model into the checkpoint."""
        checkpoint["data_hash"] = self.data_hash
        checkpoint["model_class"] = type(self).__name__

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of other data or of another model; continue after its epoch."""
        complete_epoch(checkpoint)
        require_same_data(checkpoint, self.data_hash)
        require_same_model(checkpoint, type(self).__name__, self.hparams, self.state_dict())


@cache
def option_names(model: type[Recommender]) -> frozenset[str]:
    """Return the names of a model's constructor arguments, those that it passes on to its base class included."""
    return frozenset(ArgumentParser().add_class_arguments(model, as_group=False))


def sizes_of(data: RecDataModule, model: type[Recommender]) -> dict[str, int]:
    """Return the arguments of a model's constructor that its data give."""
    named = option_names(model)  # type: ignore[arg-type]  # classes are hashable
    return {name: getattr(data, name) for name in FROM_DATA if name in named}


def once_per_evaluation(method: Callable[[Any], T]) -> Callable[[Any], T]:
    """Compute a method without arguments once per evaluation, during which the parameters do not change."""

    @wraps(method)
    def wrapper(self: Recommender) -> T:
        if self._evaluation is None:
            return method(self)
        if method.__name__ not in self._evaluation:
            self._evaluation[method.__name__] = method(self)
        return cast(T, self._evaluation[method.__name__])

    return wrapper


def _no_ranks(batch: EvalBatch) -> Tensor:
    """Return the ranks (0,) of an empty batch, which a process gets that has no held-out interaction."""
    return batch.user.new_empty(0, dtype=torch.float32)


def _vectors(features: Features | None) -> dict[str, Tensor]:
    """Return the vectors (I, D) of each modality that the data has, by name."""
    found = {} if features is None else {name: torch.tensor(getattr(features, name)) for name in MODALITIES}
    return {name: rows for name, rows in found.items() if rows.shape[1]}
