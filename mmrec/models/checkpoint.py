"""Checks of a checkpoint against the model that is to be restored from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmrec.errors import UserError


def require_same_data(checkpoint: Mapping[str, Any], data_hash: str) -> None:
    """Refuse a checkpoint of other data, where the same item indices mean other items."""
    trained = checkpoint.get("data_hash", "")
    if data_hash and trained != data_hash:
        raise UserError(
            f"the checkpoint was trained on other data (data hash {trained[:12] or 'missing'}) than the one given "
            f"(data hash {data_hash[:12]}): pass the config it was trained with, or train anew"
        )


def require_same_model(
    checkpoint: Mapping[str, Any], name: str, options: Mapping[str, Any], state: Mapping[str, Tensor]
) -> None:
    """Refuse a checkpoint of another class, of other options, or with parameters of other shapes.

    Args:
        checkpoint: what the file holds.
        name: name of the model's class.
        options: the model's hyperparameters.
        state: the model's state dict.
    """
    if checkpoint.get("model_class", "") != name:
        raise UserError(
            f"the checkpoint is of {checkpoint.get('model_class', 'another model')}, the config of {name}: pass the "
            "config it was trained with"
        )
    trained = checkpoint.get("hyper_parameters", {})
    for option in sorted(set(options) & set(trained)):
        if not option.startswith("_") and options[option] != trained[option]:
            raise UserError(
                f"the checkpoint was trained with {option} {trained[option]}, but here it is {options[option]}: pass "
                "the config it was trained with, or train anew under another --name"
            )
    own = {key: value.shape for key, value in state.items()}
    saved = {key: value.shape for key, value in checkpoint["state_dict"].items()}
    for key in sorted(own.keys() | saved.keys()):
        if own.get(key) != saved.get(key):
            raise UserError(
                f"the checkpoint does not fit the model: {key} is {_shape(saved.get(key))} in the checkpoint and "
                f"{_shape(own.get(key))} here; pass the config it was trained with"
            )


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a number"
