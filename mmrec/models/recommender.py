"""The base of every model: training, full ranking, logging and optimisation live here once."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from mmrec.batch import PAD, EvalBatch, PairBatch, SequenceBatch, TrainBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.features.store import Features
from mmrec.errors import Diverged, UserError
from mmrec.metrics.beyond_accuracy import LENGTH, MODALITIES, BeyondAccuracy
from mmrec.metrics.means import SampleMeans
from mmrec.metrics.ranking import RankingMetrics, candidate_scores, rank_of_target
from mmrec.retrieval.exact import largest
from mmrec.utils.seed import global_seed

T = TypeVar("T")


def once_per_evaluation(method: Callable[[Any], T]) -> Callable[[Any], T]:
    """Compute a method of no arguments once per evaluation pass: the parameters stand still while ranking."""

    @wraps(method)
    def wrapper(self: Recommender) -> T:
        if self._evaluation is None:
            return method(self)
        if method.__name__ not in self._evaluation:
            self._evaluation[method.__name__] = method(self)
        return cast(T, self._evaluation[method.__name__])

    return wrapper


class Recommender(pl.LightningModule):
    """A model says how to encode users, how to represent items and what it minimises; the rest is here.

    Subclasses define `encode_users`, `item_vectors` and `losses`, and `attach` if they need the graph, the features or
    the training pairs. A model that is no dot product overrides `score` instead of the first two. Constructor arguments
    are plain values, so that configs and checkpoints can carry them.

    `trains_on` says which batches `losses` gets: "windows" of sequences, "pairs" of a positive and a negative item, or
    "nothing" for a model without parameters, which `attach` makes ready.

    Args:
        lr: learning rate of AdamW.
        weight_decay: of AdamW.
    """

    trains_on: ClassVar[TrainsOn] = "windows"

    def __init__(self, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__()
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

    # What a model defines.

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Return (B, D), what each user of the batch wants next."""
        raise NotImplementedError  # abstract

    def item_vectors(self) -> Tensor:
        """Return (I, D), what each item offers; row 0 is padding."""
        raise NotImplementedError  # abstract

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return named scalars of a `TrainBatch` or a `PairBatch`, as `trains_on` says.

        "loss" is minimised, the others are its terms and are logged; "loss_rec" is the one that learns to recommend.
        """
        raise NotImplementedError  # abstract

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        """Take what the model needs from the data: the train-only view, the features. Called before any step."""

    def score(self, batch: SequenceBatch) -> Tensor:
        """Return (B, I), a score for every item, in fp32: rounded scores tie, and ties are ranks."""
        users, items = self.encode_users(batch), self.item_vectors()
        with torch.autocast(users.device.type, enabled=False):
            return users.float() @ items.float().T

    @property
    def is_dot_product(self) -> bool:
        """Whether users and items have vectors, whose products are the scores."""
        return type(self).score is Recommender.score

    def signals(self, batch: SequenceBatch) -> list[dict[str, float]]:
        """Return, for each user of the batch, numbers the model decided with, as evidence for an explanation."""
        return [{} for _ in batch.user]

    def item_signals(self, items: list[int]) -> list[dict[str, float]]:
        """Return, for each item, numbers that say what the model knows it by, as evidence for an explanation."""
        return [{} for _ in items]

    def text_vectors(self, features: Tensor) -> Tensor | None:
        """Return vectors (n, D), in the space of users and items, of any text features (n, T); None without text."""
        return None

    def refresh_neighbours(self) -> float | None:
        """Rebuild what is retrieved from, if anything is; return its churn, see `NeighbourTable.refresh`."""
        return None

    def neighbours(self) -> Tensor | None:
        """Return the retrieved neighbours (I, K) of each item, None for a model that retrieves nothing."""
        return None

    # What Lightning calls.

    def save_hyperparameters(self, *args: Any, **kwargs: Any) -> None:
        """Save the options that the class is made from, and no others.

        The command line hands over all that the data offers, and a class that builds on another saves its options too;
        a checkpoint with either could not be loaded by its path.
        """
        frame = inspect.currentframe()
        super().save_hyperparameters(*args, **{"frame": frame.f_back if frame else None, **kwargs})
        own = inspect.signature(type(self)).parameters
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in own.values()):
            return  # such a class takes them all
        for name in [name for name in self.hparams if name not in own and not name.startswith("_")]:
            del self.hparams[name]

    def setup(self, stage: str) -> None:
        """Attach the data and its protocol."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        catalog, features = data.catalog, data.features  # read here if they are not yet
        started = time.perf_counter()
        self.attach(catalog, features)
        self.attach_seconds = time.perf_counter() - started
        self.data_hash = data.catalog.manifest.data_hash
        self.mask_history = data.mask_history
        self.metrics = RankingMetrics(data.metric_suffix)
        if stage == "test":
            # Among sampled candidates no list is one that anybody would be shown.
            listed = data.candidates == "all"
            self.beyond_accuracy = BeyondAccuracy(catalog.train.popularity, _vectors(features)) if listed else None
        # Every process derives the buffers from the same data or parameters: DDP need not broadcast them at each step,
        # and cannot where they are sparse.
        self._ddp_params_and_buffers_to_ignore = [name for name, _ in self.named_buffers()]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters that are learned, as an optimiser takes them; one group unless a model says more."""
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    def configure_optimizers(self) -> torch.optim.Optimizer | None:
        """AdamW, fused; none for a model without parameters."""
        groups = self.parameter_groups()
        if not any(group["params"] for group in groups):
            return None
        return torch.optim.AdamW(groups, self.lr, weight_decay=self.weight_decay, fused=True)

    def on_train_epoch_start(self) -> None:
        """Reseed from (seed, epoch), so that a resumed run draws what an uninterrupted one would have drawn."""
        # Processes draw apart: the same dropout on every one would be one mask for all of them.
        torch.manual_seed(global_seed() * 1_000_003 + self.current_epoch + 7919 * self.global_rank)

    def training_step(self, batch: TrainBatch | PairBatch, batch_idx: int) -> Tensor:
        """Minimise "loss" and log its terms."""
        losses = self.losses(batch)
        self.terms.add(losses, len(batch.user))
        return losses["loss"]

    def on_train_epoch_end(self) -> None:
        """Log the mean of each loss over the samples of the epoch, of all processes together."""
        for name, value in self.terms.compute().items():
            self.log(
                f"train/{name}", value, prog_bar=name == "loss", batch_size=self.terms.samples, sync_dist=True
            )  # fmt: skip
        self.terms = SampleMeans()

    def validation_step(self, batch: EvalBatch, batch_idx: int) -> None:
        """Rank the held-out items."""
        self.metrics.update(batch.instance, self.ranks(batch))

    def test_step(self, batch: EvalBatch, batch_idx: int) -> None:
        """Rank the held-out items, and count what stands on the lists."""
        scores, target = self._candidates(batch)
        self.metrics.update(batch.instance, rank_of_target(scores, target))
        if self.beyond_accuracy is not None:
            best = largest(scores, min(LENGTH, scores.shape[1]))
            self.beyond_accuracy.update(best.columns, best.values)

    def predict_step(self, batch: EvalBatch, batch_idx: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return users (B,) and their `top_k` items and scores, both (B, k)."""
        scores, items = self.recommend(batch, self.top_k)
        return batch.user, items, scores

    def begin_evaluation(self) -> None:
        """Start to collect ranks, and to reuse what depends on the parameters alone."""
        self._evaluation = {}
        self.metrics.reset()

    def end_evaluation(self) -> None:
        """Drop what was reused; the ranks stay readable."""
        self._evaluation = None

    on_validation_epoch_start = on_test_epoch_start = on_predict_epoch_start = begin_evaluation

    def on_validation_epoch_end(self) -> None:
        """Log the metrics that select the model."""
        self._log_metrics("valid")

    def on_test_epoch_end(self) -> None:
        """Log the final metrics."""
        self._log_metrics("test")
        if self.beyond_accuracy is not None:
            self.beyond_accuracy.compute()  # on every process, so that the first has what all have counted

    def on_predict_epoch_end(self) -> None:
        """Drop what evaluation kept."""
        self.end_evaluation()

    def _log_metrics(self, split: str) -> None:
        self.end_evaluation()
        # Every process has gathered every rank, so that the mean over processes is that of equal numbers.
        self.log_dict({f"{split}/{name}": value for name, value in self.metrics.compute().items()}, sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stamp the data and the model into the checkpoint."""
        checkpoint["data_hash"] = self.data_hash
        checkpoint["model_class"] = type(self).__name__

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of other data, whose item indices mean other items; go on after its epoch."""
        _end_epoch(checkpoint)
        stamped = checkpoint.get("data_hash", "")
        if self.data_hash and stamped != self.data_hash:
            raise UserError(
                f"the checkpoint was trained on other data (data hash {stamped[:12] or 'missing'}) than the one given "
                f"(data hash {self.data_hash[:12]}): pass the config it was trained with, or train anew"
            )
        if checkpoint.get("model_class", "") != type(self).__name__:
            raise UserError(
                f"the checkpoint is of {checkpoint.get('model_class', 'another model')}, the config of "
                f"{type(self).__name__}: pass the config it was trained with"
            )
        trained = checkpoint.get("hyper_parameters", {})
        for name in sorted(set(self.hparams) & set(trained)):
            if not name.startswith("_") and self.hparams[name] != trained[name]:
                raise UserError(
                    f"the checkpoint was trained with {name} {trained[name]}, but here it is {self.hparams[name]}: "
                    "pass the config it was trained with, or train anew under another --name"
                )
        own = {name: value.shape for name, value in self.state_dict().items()}
        saved = {name: value.shape for name, value in checkpoint["state_dict"].items()}
        for name in sorted(own.keys() | saved.keys()):
            if own.get(name) != saved.get(name):
                raise UserError(
                    f"the checkpoint does not fit the model: {name} is {_shape(saved.get(name))} in the checkpoint and "
                    f"{_shape(own.get(name))} here; pass the config it was trained with"
                )

    # Ranking.

    def ranks(self, batch: EvalBatch) -> Tensor:
        """Return the rank (B,) of each target among all items, history removed, or among the sampled candidates.

        Raises:
            Diverged: a score is not finite.
        """
        return rank_of_target(*self._candidates(batch))

    def recommend(self, batch: SequenceBatch, k: int) -> tuple[Tensor, Tensor]:
        """Return the scores and items (B, k) with the highest scores, history removed.

        Where fewer than k items are left, the last scores are -inf and their items mean nothing.
        """
        scores = self.score(batch).index_put(self._excluded(batch), torch.tensor(-torch.inf, device=self.device))
        best = largest(scores, min(k, scores.shape[1]))
        return best.values, best.columns

    def _candidates(self, batch: EvalBatch) -> tuple[Tensor, Tensor]:
        """Return the candidates' scores (B, C), -inf for what is none, and the target's column (B,)."""
        scores = self.score(batch)
        if not torch.isfinite(scores.sum()) and not torch.isfinite(scores).all():
            raise Diverged(
                "the model scores an item with a number that is not finite: training has diverged; lower "
                "model.init_args.lr, or train with --trainer.precision 32"
            )
        if batch.candidates is None:
            return candidate_scores(scores, batch.target, self._excluded(batch)), batch.target
        candidates = torch.cat([batch.target[:, None], batch.candidates], dim=1)
        return scores.gather(1, candidates), torch.zeros_like(batch.target)

    def _excluded(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Rows and items (n,), (n,) that are no candidates: PAD, and the whole history unless it is to be ranked."""
        rows = torch.arange(len(batch.user), device=batch.user.device)
        if not self.mask_history:
            return rows, torch.full_like(rows, PAD)
        # The padding of the windows is PAD itself, and a full window has no padding: PAD is named for every row.
        row, item = batch.history()
        return torch.cat([rows, row]), torch.cat([torch.full_like(rows, PAD), item])


def _end_epoch(checkpoint: dict[str, Any]) -> None:
    """Mark the epoch at whose end a checkpoint was saved as completed.

    It is saved just before Lightning counts it so. With `max_steps`, Lightning would end the epoch once more when it
    goes on, without the validation that early stopping asks for. Where validation is not once an epoch, the checkpoint
    is saved in the validation after the last batch, before Lightning has even counted the epoch as processed.
    """
    loop = checkpoint.get("loops", {}).get("fit_loop", {})
    batches, epochs = loop.get("epoch_loop.batch_progress"), loop.get("epoch_progress")
    if batches and epochs and batches["is_last_batch"]:
        batches["is_last_batch"] = False
        batches["current"] = dict.fromkeys(batches["current"], 0)
        for counts in (epochs["total"], epochs["current"]):
            counts["processed"] = counts["completed"] = counts["ready"]


def _vectors(features: Features | None) -> dict[str, Tensor]:
    """Return the vectors (I, D) of each modality that there is."""
    found = {} if features is None else {name: torch.tensor(getattr(features, name)) for name in MODALITIES}
    return {name: rows for name, rows in found.items() if rows.shape[1]}


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a number"
