"""What a run's numbers depend on: its effective config, its data, and the code that it executes.

Two runs with the same identity are the same run, whatever table asks for them and however their options are written.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from mmrec.cli.compose import compose
from mmrec.cli.lightning import EXPLAINS, config_parser, reads_features
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.extract import feature_folder
from mmrec.data.prepare.pipeline import dataset_folder
from mmrec.errors import UserError

SECTIONS = ("model", "data", "trainer", "loss_precision", "compile")
MADE = ("source", "prepare", "encoder", "root", "encoder_devices")
"""Options of the data that say what is prepared and where: the version of the data stands for them."""
SHOWN = ("enable_progress_bar", "enable_model_summary", "logger", "default_root_dir", "log_every_n_steps")
"""Options of the trainer that change what is seen of a run, not what comes out."""
ABOUT_RUNS = ("mmrec.utils.shipped", "mmrec.utils.environment", "mmrec.utils.lock", "mmrec.training.tracking")
"""Modules that find, describe or record a run and have no part in its numbers."""
ENTRANCES = ("mmrec.cli.lightning", "mmrec.data.datamodule")
"""Modules that every run goes through."""


@dataclass(frozen=True)
class Identity:
    """Of a run, its seed aside.

    Args:
        dataset: name of the data source, which names folders.
        config: sha256 of the effective config, defaults included.
        data: the folders of the prepared data and of its features; their names are hashes of the raw files' content and
            of everything that is done to it.
        code: sha256 of the modules that the run executes, comments and docstrings aside.
    """

    dataset: str
    config: str
    data: str
    code: str

    @property
    def key(self) -> str:
        """Return twelve digits that stand for all of it."""
        return _sha256([self.dataset, self.config, self.data, self.code])[:12]


def identify(args: Sequence[str]) -> Identity:
    """Return the identity of a run, without running or preparing anything.

    Args:
        args: what `lightning fit` is given.

    Raises:
        ArgumentError: an option is unknown or wrong.
        UserError: a raw data file is missing, or the run would be tested otherwise than tables show.
    """
    parsed = config_parser().parse_args(compose(args))
    if parsed.data.candidates != "all" or not parsed.data.mask_history:
        raise UserError(
            "tables show full ranking without the history: leave out data.candidates and data.mask_history; other "
            "protocols are compared by `mmrec compare`"
        )
    config = {name: _plain(parsed[name]) for name in SECTIONS}
    callbacks = [one for one in config["trainer"]["callbacks"] or [] if one["class_path"] != EXPLAINS]
    config["trainer"]["callbacks"] = callbacks
    features = reads_features(parsed.model)
    dataset, version = _data_version(json.dumps([config["data"], features], sort_keys=True, default=str))
    for section, left_out in (("data", MADE), ("trainer", SHOWN)):
        config[section] = {name: value for name, value in config[section].items() if name not in left_out}
    classes = [config["model"]["class_path"], parsed.data.source.class_path, *(one["class_path"] for one in callbacks)]
    if features and parsed.data.encoder is not None:
        classes.append(parsed.data.encoder.class_path)
    modules = sorted({*ENTRANCES, *(name.rpartition(".")[0] for name in classes)})
    return Identity(dataset, _sha256(config), version, code_version(tuple(modules)))


@cache
def code_version(modules: tuple[str, ...]) -> str:
    """Return the sha256 of modules and of all of mmrec that they import, directly or not, but `ABOUT_RUNS`.

    Comments, docstrings and layout do not count. A module that is not there counts by its name.

    Args:
        modules: dotted names.
    """
    waiting, found = list(modules), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name in found or name in ABOUT_RUNS:
            continue
        code, imported = _read_module(name)
        found[name] = code
        # A package is executed before what is in it.
        waiting += [*imported, *([name.rpartition(".")[0]] if name.startswith("mmrec.") else [])]
    return _sha256(sorted(found.items()))


@cache
def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Return a module's code without docstrings, and the modules of mmrec that it may import."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # of a package: this is a class or function in a module
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return "", ()
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        elif isinstance(node, ast.Import):
            imported += [one.name for one in node.names]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)]
    return ast.dump(tree), tuple(one for one in imported if one.split(".")[0] == "mmrec")


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


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
    """Turn a parsed section into plain dictionaries, without where it was read from."""
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items() if name != "__path__"}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
