"""Every model config that ships, alone and under every ablation: what the contract tests run over."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mmrec.data.datamodule import RecDataModule
from mmrec.models.recommender import Recommender
from mmrec.utils.shipped import configs_folder

FULL = "mm_racl_kal"


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


MODELS = {path.stem: read(path) for path in sorted((configs_folder() / "model").glob("*.yaml"))}
for path in sorted((configs_folder() / "ablation").glob("*.yaml")):
    changes = read(path)["model"]["init_args"]
    MODELS[f"{FULL}-{path.stem}"] = {**MODELS[FULL], "init_args": {**MODELS[FULL].get("init_args", {}), **changes}}


def model_class(name: str) -> type[Recommender]:
    module, _, class_name = MODELS[name]["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), class_name)


TRAINABLE = [name for name in MODELS if model_class(name).trains_on != "nothing"]
SEQUENTIAL = [name for name in MODELS if model_class(name).trains_on == "windows"]


def build(name: str, data: RecDataModule, **changes: Any) -> Recommender:
    """Make a model as the command line would, on data, with a fixed seed."""
    cls = model_class(name)
    linked = {key: getattr(data, key) for key in ("n_users", "n_items", "text_dim", "image_dim", "max_length")}
    accepted = inspect.signature(cls).parameters
    arguments = {key: value for key, value in linked.items() if key in accepted}
    torch.manual_seed(0)
    model = cls(**{**arguments, **MODELS[name].get("init_args", {}), **changes})
    model.attach(data.catalog, data.features)
    return model


@pytest.fixture(params=MODELS)
def any_model(request: pytest.FixtureRequest, toy: RecDataModule) -> Recommender:
    return build(request.param, toy).eval()


@pytest.fixture(params=TRAINABLE)
def trainable(request: pytest.FixtureRequest, toy: RecDataModule) -> Recommender:
    return build(request.param, toy)


@pytest.fixture(params=SEQUENTIAL)
def sequential(request: pytest.FixtureRequest, toy: RecDataModule) -> Recommender:
    return build(request.param, toy)
