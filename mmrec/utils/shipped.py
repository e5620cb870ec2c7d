"""Finding the shipped configs, and what makes the paper's tables, from any folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import mmrec
from mmrec.errors import UserError
from mmrec.utils.files import read_mapping

FOLDER = "lightning_configs"
SECTIONS = ("--trainer", "--data", "--model")
"""Options that take a file as well; of a wrong one the config parser says only that it cannot load it."""
OPTIONS = "options, say `max_length: 50`"


def configs_folder() -> Path:
    """Return the folder of the shipped configs."""
    return _shipped(FOLDER, "run")


def experiments_folder() -> Path:
    """Return the folder of the shipped tables, their profiles and the paper's numbers."""
    return _shipped("experiments", "tables")


def _shipped(folder: str, part: str) -> Path:
    """Return a folder that is known by a part of it: in a checkout it is beside the package, in a wheel inside it."""
    package = Path(mmrec.__file__).parent
    beside = package.parent / folder
    return beside if (beside / part).is_dir() else package / folder


def locate_configs(args: Sequence[str]) -> list[str]:
    """Replace the value of every --config that the working folder lacks by the shipped file of that name.

    Raises:
        UserError: a config is in neither place, there is no file of a section, or either holds no options.
    """
    located = list(args)
    for option, value in pairwise(arg for given in args for arg in given.split("=", 1)):
        if option in SECTIONS and value.endswith((".yaml", ".yml")):
            if not Path(value).is_file():
                raise UserError(f"{option} {value}: no such file")
            read_mapping(Path(value), OPTIONS)
    for place, arg in enumerate(located):
        if arg in ("--config", "-c") and place + 1 < len(located):
            located[place + 1] = _locate(located[place + 1])
        elif arg.startswith("--config="):
            located[place] = "--config=" + _locate(arg.removeprefix("--config="))
    return located


def find_config(value: str) -> str | None:
    """Return a file as it is given or, if the working folder lacks it, the shipped one of that name."""
    shipped = configs_folder().parent / value
    return value if Path(value).is_file() else str(shipped) if shipped.is_file() else None


def _locate(value: str) -> str:
    if (found := find_config(value)) is not None:
        read_mapping(Path(found), OPTIONS)
        return found
    datasets, models = (
        ", ".join(sorted(path.stem for path in (configs_folder() / part).glob("*.yaml"))) for part in ("data", "model")
    )
    raise UserError(
        f"--config {value}: no such file here, nor among the shipped {FOLDER}/run/<dataset>_<model>.yaml; datasets: "
        f"{datasets}; models: {models}"
    )
