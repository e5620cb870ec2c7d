"""Callbacks of a configuration: which of them make no run that can be trusted."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from enum import Enum
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import StochasticWeightAveraging, WeightAveraging

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.models.recommender import Recommender
from mmrec.training.instantiate import find_class

NO_VALIDATION = (
    "no validation runs before the training ends, so no checkpoint can be chosen: raise --trainer.max_epochs or "
    "--trainer.max_steps, or lower --trainer.check_val_every_n_epoch, --trainer.val_check_interval, or set "
    "--trainer.limit_val_batches above 0"
)


def check_configured(callbacks: Sequence[Any]) -> None:
    """Refuse callbacks whose weights would never be validated, and make default values plain ones.

    Raises:
        UserError: a callback averages weights after the last validation.
    """
    for callback in callbacks:
        if issubclass(find_class(callback.class_path), StochasticWeightAveraging):
            raise UserError(
                f"trainer.callbacks: {callback.class_path} averages after the last validation, so its weights could "
                "not be chosen or tested: use pytorch_lightning.callbacks.EMAWeightAveraging"
            )
        options = callback.get("init_args") or {}
        for name, value in list(options.items()):
            if isinstance(value, Enum):  # a default of Lightning's Timer, which cannot be written to config.yaml
                options[name] = value.value


def require_cutoff(callback: Any, cutoffs: Sequence[int]) -> None:
    """Raise UserError if a callback watches a metric of a cutoff that is not computed."""
    cutoff = callback.monitor.partition("@")[2]
    if cutoff.isdecimal() and int(cutoff) not in cutoffs:
        raise UserError(
            f"data.cutoffs {list(cutoffs)}: {type(callback).__name__} watches {callback.monitor}: add {cutoff}, or set "
            "its monitor"
        )


def require_validation(trainer: Trainer) -> None:
    """Raise UserError if no epoch of a fit ends in the validation that its checkpoints are chosen by."""
    chosen = any(getattr(one, "monitor", None) for one in trainer.checkpoint_callbacks)
    every, epochs = trainer.check_val_every_n_epoch, trainer.max_epochs
    never = trainer.limit_val_batches == 0 or (every and epochs is not None and 0 < epochs < every)
    if chosen and never and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
        raise UserError(NO_VALIDATION)


def averagers(trainer: Trainer) -> list[WeightAveraging]:
    """Return the callbacks of a trainer that average weights."""
    return [one for one in trainer.callbacks if isinstance(one, WeightAveraging)]  # type: ignore[attr-defined]


def leave_out_averaging(trainer: Trainer) -> None:
    """Remove the callbacks that average weights from a trainer."""
    for callback in averagers(trainer):
        trainer.callbacks.remove(callback)  # type: ignore[attr-defined]  # set at run time


def prepare_averaging(trainer: Trainer, model: Recommender, data: RecDataModule) -> None:
    """Give a model its data before an average copies it, so that the copy has the same buffers.

    Raises:
        UserError: the model cannot be copied.
    """
    if not averagers(trainer):
        return
    model.attach(data.catalog, data.features)
    try:
        copy.deepcopy(model)
    except NotImplementedError as error:  # PyTorch cannot copy sparse matrices
        raise UserError(
            f"trainer.callbacks: the graph of {type(model).__name__} cannot be copied for the average of its weights: "
            "leave the averaging out"
        ) from error
