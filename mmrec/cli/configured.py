"""Facts about a run that are read from its configuration, before its classes are made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmrec.errors import InvalidArgument
from mmrec.models.recommender import FROM_DATA
from mmrec.training.instantiate import find_class

INPUT = ("whiten", "max_length", "input_ablation")
"""Options of the data that change what a model reads of it; results of other candidates have separate files."""
CONTENT = ("source", "prepare", "encoder")
"""Options of the data that change the data; a checkpoint knows the data that it was trained on."""
UNRECORDED = ("config", "ckpt_path", "name", "runs", "test_after_fit", "explain", "tracking")
"""Keys of one command that do not tell a run from others."""
CHANGEABLE = (
    "max_epochs", "max_steps", "max_time", "default_root_dir", "num_sanity_val_steps", "enable_progress_bar",
    "enable_model_summary", "log_every_n_steps", "accelerator", "devices", "logger", "callbacks",
)  # fmt: skip
"""Options of the trainer that may differ when a fit is resumed."""


def source_name(source: Any) -> str:
    """Return the name that a configured source will have: as given, else the default of its class or constructor."""
    cls = find_class(source["class_path"])
    parameter = inspect.signature(cls).parameters.get("name")
    default = parameter.default if parameter is not None else getattr(cls, "name", snake_case(cls.__name__))
    return str(source.get("init_args", {}).get("name") or default)


def reads_features(model: Any) -> bool:
    """Whether a configured model takes features, and does not have both modalities switched off."""
    options = model.get("init_args", {})
    takes = any(name in options for name in ("text_dim", "image_dim"))
    return takes and (options.get("text", True) or options.get("image", True))


def snake_case(name: str) -> str:
    """Turn a class name into a folder name, MMRaclKal into mm_racl_kal."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def changed_options(fitted: Mapping[str, Any], now: Mapping[str, Any], data: Sequence[str]) -> list[str]:
    """Return the keys of the options that differ from those that a run was fitted with.

    Args:
        fitted: the sections `data` and `model` of the run's configuration.
        now: those of this command.
        data: options of the data to compare; those of the model are all compared.
    """
    of_data = {f"data.{name}": name for name in data if name in fitted["data"]}
    changed = [key for key, name in of_data.items() if fitted["data"][name] != now["data"].get(name)]
    if find_class(fitted["model"]["class_path"]) is not find_class(now["model"]["class_path"]):
        return ["model.class_path", *changed]
    options, own = (one["model"].get("init_args") or {} for one in (fitted, now))
    return changed + [f"model.init_args.{name}" for name in options if options[name] != own.get(name)]


def recorded(config: Any) -> dict[str, Any]:
    """Return the options that tell a run from others in W&B: all but those that may differ when it is resumed."""
    options = {key: value for key, value in config.as_dict().items() if key not in UNRECORDED}
    trainer = {key: value for key, value in options["trainer"].items() if key not in CHANGEABLE}
    return {**options, "trainer": trainer}


def with_key(error: InvalidArgument, config: Any) -> str:
    """Return the message of a wrong argument with its key in the configuration, `model.init_args.lr` for `lr`."""
    for key in ("model.init_args", "data.prepare", "data", "data.source.init_args", "data.encoder.init_args"):
        linked = key == "model.init_args" and error.argument in FROM_DATA  # the model takes it from the data
        if error.argument in (config.get(key) or {}) and not linked:
            return f"{key}.{error}"
    return str(error)
