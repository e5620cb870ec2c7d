"""Every shipped model config, alone and under every ablation."""

from pathlib import Path
from typing import Any

import yaml

from mmrec import models
from mmrec.data.datamodule import RecDataModule
from mmrec.models.recommender import Recommender
from mmrec.testing import build_model
from mmrec.utils.shipped import configs_folder

FULL = "mm_racl_kal"


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


MODELS = {path.stem: read(path) for path in sorted((configs_folder() / "model").glob("*.yaml"))}
for path in sorted((configs_folder() / "ablation").glob("*.yaml")):
    changes = read(path)["model"]["init_args"]
    MODELS[f"{FULL}-{path.stem}"] = {**MODELS[FULL], "init_args": {**MODELS[FULL].get("init_args", {}), **changes}}


def model_class(name: str) -> type[Recommender]:
    return getattr(models, MODELS[name]["class_path"].rpartition(".")[2])


def build(name: str, data: RecDataModule, **changes: Any) -> Recommender:
    """Make the model of a config, with some options changed."""
    return build_model(model_class(name), data, **{**MODELS[name].get("init_args", {}), **changes})
