"""Models made for given data, with the same initial parameters every time."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.models.recommender import Recommender

Model = TypeVar("Model", bound=Recommender)


def build_model(model: type[Model], data: RecDataModule, **options: Any) -> Model:
    """Return a model with the initial parameters of seed 0, attached to its data.

    Args:
        model: the class of the model.
        data: the data, which also gives the sizes that the model takes from it, see `Recommender.for_data`.
        options: all other constructor arguments.
    """
    torch.manual_seed(0)
    built = model.for_data(data, **options)
    built.attach(data.catalog, data.features)
    return built
