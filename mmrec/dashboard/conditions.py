"""By what the runs of a table's row are known in W&B: keys of their config that tell the rows apart."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from mmrec.cli.lightning import source_name
from mmrec.reproduce.spec import Options, Row, ablation_config, run_config
from mmrec.utils.shipped import find_config

Conditions = dict[str, Any]
"""Value of the W&B config by key. Hyperparameters of the model are keys of their own there (`replace_prob`)."""
OF_MODEL = "model.init_args."
LENGTH = "max_length"


def dataset_of(prefix: str, rows: Sequence[Row]) -> str:
    """Return the name that runs record of a dataset, given the prefix of its run configs ("movielens")."""
    return source_name(_read(run_config(prefix, rows[0].run))["data"]["source"])


def conditions(rows: Sequence[Row], prefix: str, among: Sequence[Row], options: Options = ()) -> list[Conditions]:
    """Return by what the runs of each row are known: the model's class, and each option that rows of it differ in.

    So is the length of the windows, where the profile sets it and the model takes it: runs at another length are not of
    this profile.

    Args:
        rows: of one table.
        prefix: of the dataset's run configs.
        among: the rows of all tables, from whose runs those of a row are told.
        options: of the profile.

    Returns:
        for each row, in order; rows that no option of the model tells apart have the same.
    """
    others = [_model(row, prefix) for row in among if find_config(run_config(prefix, row.run)) is not None]
    length = dict(options).get(f"data.{LENGTH}")
    made = []
    for name, own in (_model(row, prefix) for row in rows):
        alike = [theirs for other, theirs in others if other == name]
        keys = dict.fromkeys(key for theirs in alike for key in theirs)
        telling = [key for key in keys if len({repr(theirs.get(key, _default(name, key))) for theirs in alike}) > 1]
        values = {key: own.get(key, _default(name, key)) for key in telling}
        if length is not None and LENGTH in _options(name):
            values[LENGTH] = yaml.safe_load(length)
        made.append({"class": name.rpartition(".")[2], **values})
    return made


def swept(rows: Sequence[Row]) -> str | None:
    """Return the hyperparameter whose values the rows of a sweep are, None if it is no one of the model."""
    for key in dict.fromkeys(key for row in rows for key, _ in row.options):
        values = [dict(row.options).get(key) for row in rows]
        same = all(v is not None and yaml.safe_load(v) == row.value for v, row in zip(values, rows, strict=True))
        if same and key.startswith(OF_MODEL):
            return key.removeprefix(OF_MODEL)
    return None


def _model(row: Row, prefix: str) -> tuple[str, Conditions]:
    """Return the class of a row's model, and the options that its files and the row give it."""
    model = _read(run_config(prefix, row.run))["model"]
    options = dict(model.get("init_args") or {})
    if row.ablation is not None:
        options |= _read(ablation_config(row.ablation))["model"]["init_args"]
    given = dict(row.options)
    options |= {key.removeprefix(OF_MODEL): yaml.safe_load(v) for key, v in given.items() if key.startswith(OF_MODEL)}
    return model["class_path"], options


def _default(class_path: str, option: str) -> Any:
    parameter = _options(class_path).get(option)
    return None if parameter is None else parameter.default


def _options(class_path: str) -> Mapping[str, inspect.Parameter]:
    module, _, name = class_path.rpartition(".")
    return inspect.signature(getattr(importlib.import_module(module), name)).parameters


def _read(config: str) -> dict[str, Any]:
    """Read a shipped config, and the files that it names for its sections."""
    file = Path(find_config(config) or config)
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key in ("data", "model"):
        if isinstance(content.get(key), str):
            content[key] = yaml.safe_load((file.parent / content[key]).read_text(encoding="utf-8"))
    return content
