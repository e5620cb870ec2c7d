"""Models made for given data, as the command line makes them."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import torch
from jsonargparse import ArgumentParser

from mmrec.data.datamodule import RecDataModule
from mmrec.models.recommender import Recommender

LINKED = ("n_users", "n_items", "text_dim", "image_dim", "max_length")
"""Options that a model takes from the data."""

Model = TypeVar("Model", bound=Recommender)


def build_model(model: type[Model], data: RecDataModule, **options: Any) -> Model:
    """Make a model with fixed initial parameters and attach the data.

    Args:
        model: the class of the model.
        data: the data, which also gives `n_users`, `n_items`, `text_dim`, `image_dim` and `max_length`.
        options: all other constructor arguments.
    """
    names = option_names(model)  # type: ignore[arg-type]  # classes are hashable
    linked = {name: getattr(data, name) for name in LINKED if name in names}
    torch.manual_seed(0)
    built = model(**{**linked, **options})
    built.attach(data.catalog, data.features)
    return built


@cache
def option_names(model: type[Recommender]) -> frozenset[str]:
    """Return the names of the constructor arguments that a config may set, those of base classes included."""
    return frozenset(ArgumentParser().add_class_arguments(model, as_group=False))
