"""The files that ship with the package: configurations, what makes the tables of the paper, and a trained model."""

from __future__ import annotations

from pathlib import Path

import mmrec

FOLDER = "lightning_configs"


def configs_folder() -> Path:
    """Return the folder of the shipped configurations."""
    return _shipped(FOLDER, "run")


def experiments_folder() -> Path:
    """Return the folder of the shipped tables, their profiles and the paper's numbers."""
    return _shipped("experiments", "tables")


def toy_bundle() -> Path:
    """Return the bundle of MM-RACL-KAL on the toy shop, which `tools/make_toy_bundle.py` writes into the package."""
    return Path(mmrec.__file__).parent / "shipped" / "toy"


def find_config(value: str) -> str | None:
    """Return a file as it is given or, if the working folder lacks it, the shipped file of that name; None for neither.

    Args:
        value: a path, for example "my_run.yaml" or "lightning_configs/run/toy_mm_racl_kal.yaml".
    """
    shipped = configs_folder().parent / value
    return value if Path(value).is_file() else str(shipped) if shipped.is_file() else None


def _shipped(folder: str, part: str) -> Path:
    """Return a folder that ships: next to the package in a checkout, inside it in a wheel."""
    package = Path(mmrec.__file__).parent
    outside = package.parent / folder
    return outside if (outside / part).is_dir() else package / folder
