"""What a run is, read from its arguments without running it: its identity, its model and its data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from mmrec.cli.compose import compose
from mmrec.cli.configured import reads_features, source_name
from mmrec.cli.data_section import read_data
from mmrec.cli.lightning import EXPLAINS, config_parser
from mmrec.dashboard.conditions import Configured
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.extract import feature_folder
from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.pipeline import dataset_folder
from mmrec.errors import UserError
from mmrec.metrics.ranking import CUTOFFS
from mmrec.reproduce.identity import Identity
from mmrec.training.instantiate import find_class
from mmrec.utils.environment import code_version

OUTSIDE = (
    "config", "seed_everything", "name", "runs", "test_after_fit", "explain", "tracking", "ckpt_path",
)  # fmt: skip
"""Options that do not change the numbers of a run, and the seed."""
PREPARING = ("source", "prepare", "encoder", "root", "encoder_devices")
"""Options of the data that say what is prepared and where; the version of the prepared data stands for them."""
DISPLAY = ("enable_progress_bar", "enable_model_summary", "logger", "default_root_dir", "log_every_n_steps")
"""Options of the trainer that change what is shown of a run, not its numbers."""


def identify(args: Sequence[str]) -> Identity:
    """Return the identity of a run, without running or preparing anything.

    Args:
        args: arguments of `lightning fit`.

    Raises:
        ArgumentError: an option is unknown or wrong.
        UserError: a raw data file is missing, or the run has another test protocol than tables show.
    """
    parsed = _parsed(tuple(args))
    if parsed.data.candidates != "all" or not parsed.data.mask_history:
        raise UserError(
            "tables show full ranking without the history: leave out data.candidates and data.mask_history; other "
            "protocols are compared by `mmrec compare`"
        )
    config = {name: _plain(value) for name, value in parsed.items(branches=True) if "." not in name}
    config = {name: value for name, value in config.items() if name not in OUTSIDE}
    if config["from"] is None:  # so that a run without it is the one that it was before there was such a start
        del config["from"]
    if tuple(config["data"]["cutoffs"]) == CUTOFFS:  # as before there was such an option
        del config["data"]["cutoffs"]
    callbacks = [one for one in config["trainer"]["callbacks"] or [] if one["class_path"] != EXPLAINS]
    config["trainer"]["callbacks"] = callbacks
    features = reads_features(parsed.model)
    dataset, version = _data_version(json.dumps([config["data"], features], sort_keys=True, default=str))
    for section, left_out in (("data", PREPARING), ("trainer", DISPLAY)):
        config[section] = {name: value for name, value in config[section].items() if name not in left_out}
    content = json.dumps(config, sort_keys=True, default=str)
    return Identity(dataset, hashlib.sha256(content.encode()).hexdigest(), version, code_version())


def configured(args: Sequence[str]) -> Configured:
    """Return the dataset, the model and the model's effective options of a run; see `identify`."""
    parsed = _parsed(tuple(args))
    model = _plain(parsed.model)
    return Configured(source_name(parsed.data.source), model["class_path"], model["init_args"])


def prepared(args: Sequence[str]) -> Manifest:
    """Prepare the data of a run if it is not prepared yet, and return its manifest; see `identify`."""
    return read_data("paper", None, args).catalog.manifest


@cache
def _parsed(args: tuple[str, ...]) -> Namespace:
    return config_parser().parse_args(compose(args))


@cache
def _data_version(section: str) -> tuple[str, str]:
    """Return name and version of the data, given its options and whether features are read, as JSON."""
    options, features = json.loads(section)
    if not features:
        options["encoder"] = None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(RecDataModule, "data")
    data = parser.instantiate_classes(parser.parse_object({"data": options})).data
    folder = dataset_folder(data.source, data.options, data.root)
    if data.encoder is not None:
        folder = feature_folder(folder, data.encoder)
    return data.source.name, str(folder.relative_to(data.root))


def _plain(value: Any) -> Any:
    """Turn a parsed section into plain dictionaries, without the files it was read from; classes by their full path."""
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        made = {name: _plain(entry) for name, entry in value.items() if name != "__path__"}
        return {**made, "class_path": _full_path(made["class_path"])} if "class_path" in made else made
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _full_path(class_path: str) -> str:
    """Return the path of a class in the module that defines it, however it was written."""
    cls = find_class(class_path)
    return f"{cls.__module__}.{cls.__qualname__}"
