"""The shipped models by name, with their options, as `--model NAME` gives them on the command line."""

from __future__ import annotations

from typing import Any

from mmrec import models
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import require
from mmrec.models.recommender import Recommender
from mmrec.utils.files import read_mapping
from mmrec.utils.shipped import configs_folder


def shipped_model(name: str, data: RecDataModule, **options: Any) -> Recommender:
    """Return a new model with the options of `lightning_configs/model/NAME.yaml`, for a prepared dataset.

    Args:
        name: name of the file, for example "mm_racl_kal_id".
        data: see `Recommender.for_data`.
        options: options in place of those of the file.

    Raises:
        InvalidArgument: there is no such file, or an option is outside its range.
    """
    files = {file.stem: file for file in (configs_folder() / "model").glob("*.yaml")}
    require(name in files, "name", name, f"one of {', '.join(sorted(files))}")
    section = read_mapping(files[name], "options of a model")
    model: type[Recommender] = getattr(models, section["class_path"])
    return model.for_data(data, **{**section.get("init_args", {}), **options})
