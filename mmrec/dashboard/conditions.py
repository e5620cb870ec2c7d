"""The config values that identify the runs of a table's row in W&B."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

from mmrec.reproduce.spec import Options, Row, run_args

Conditions = dict[str, Any]
"""Values of the W&B config by key. Hyperparameters of the model are keys of their own there (`replace_prob`)."""
OF_MODEL = "model.init_args."
LENGTH = "max_length"


@dataclass(frozen=True)
class Configured:
    """The part of an effective config that W&B records and filters runs by.

    Args:
        dataset: name of the dataset.
        model: path of the model's class.
        options: options of the model, defaults included.
    """

    dataset: str
    model: str
    options: Mapping[str, Any]


Configure = Callable[[Sequence[str]], Configured]
"""Reads the effective config of a run, given the arguments of `lightning fit`."""


def conditions(
    rows: Sequence[Row], dataset: str, among: Sequence[Row], configure: Configure, options: Options = ()
) -> list[Conditions]:
    """Return the W&B config filters that identify each row's runs.

    They are the class of the model and each option in which rows of this class differ. If the profile sets the length
    of the windows and the model has that option, it is a filter too: runs with another length are of another profile.

    Args:
        rows: rows of one table.
        dataset: name of a data config.
        among: rows of all tables, from whose runs those of a row are told apart.
        configure: reads the config of a row.
        options: options of the profile.

    Returns:
        filters of each row, in order; rows that differ in no option of the model have the same filters.
    """
    others = [configure(run_args(dataset, row)) for row in among]
    length = dict(options).get(f"data.{LENGTH}")
    made = []
    for own in (configure(run_args(dataset, row)) for row in rows):
        alike = [other.options for other in others if other.model == own.model]
        keys = dict.fromkeys(key for other in alike for key in other)
        distinct = [key for key in keys if len({repr(other.get(key)) for other in alike}) > 1]
        values = {key: own.options.get(key) for key in distinct}
        if length is not None and LENGTH in own.options:
            values[LENGTH] = yaml.safe_load(length)
        made.append({"class": own.model.rpartition(".")[2], **values})
    return made


def swept(rows: Sequence[Row]) -> str | None:
    """Return the hyperparameter that the rows of a sweep vary, None if it is not an option of the model."""
    for key in dict.fromkeys(key for row in rows for key, _ in row.options):
        values = [dict(row.options).get(key) for row in rows]
        same = all(v is not None and yaml.safe_load(v) == row.value for v, row in zip(values, rows, strict=True))
        if same and key.startswith(OF_MODEL):
            return key.removeprefix(OF_MODEL)
    return None
