"""The one reader of result files: of run folders at any depth, and of result files that were copied."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.errors import UserError
from mmrec.results.curves import Points, read_curves
from mmrec.utils.json_files import read_json
from mmrec.utils.tables import read_table

Result = dict[str, Any]
NUMBERS = {str: (float, None)}
SHAPE = {
    "dataset": str,
    "model": str,
    "seed": int,
    "data_hash": str,
    "parameters": int,
    "metrics": NUMBERS,
    "protocol": {"split": str, "candidates": str, "mask_history": bool, "instances": int},
    "training": {"epochs": int, "seconds": float, "best_epoch": (int, None)},
    "slices": ({str: NUMBERS}, None),
    "beyond_accuracy": (NUMBERS, None),
    "peak_memory_mb": (NUMBERS, None),
    "hyperparameters": ({}, None),
    "features": ({"encoder": str}, None),
    "git": ({"commit": str, "dirty": bool}, None),
    "machine": ({}, None),
}
"""What a result file holds; what may be null may also be absent, as in results of older versions."""
AGAIN = "run `lightning test` for it again, or move it away"
SEED = "seed[0-9]*"
COPY = re.compile(r"_seed\d+$")


class NoResults(UserError):
    """A folder holds no results."""


@dataclass(frozen=True)
class Run:
    """One result of a run, of one protocol.

    Args:
        name: name of the model, from the run's folder or the name of the copied file.
        file: the result file.
        result: its content.
        folder: folder of the run; None for a copied result file, which has no ranks and no curves.
    """

    name: str
    file: Path
    result: Result
    folder: Path | None

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.result["seed"])

    @property
    def held_out_again(self) -> int:
        """Number of test interactions that the run it started from was trained on, see `training.trained_pairs`."""
        start = self.result.get("started_from") or {}
        return int((start.get("held_out_again") or {}).get("test", 0))

    @cached_property
    def curves(self) -> dict[str, Points]:
        """The metrics logged by epoch, see `read_curves`; empty for a copied result."""
        return {} if self.folder is None else read_curves(self.folder)

    @cached_property
    def ranks(self) -> pl.DataFrame:
        """User, item and rank of every test instance.

        Raises:
            UserError: the file is missing or damaged, or the result was copied without it.
        """
        file = self.file.with_name(f"test_ranks{self.file.stem.removeprefix('result')}.parquet")
        if self.folder is None:
            raise UserError(f"{self.file}: a copied result has no ranks; name the folder of the runs")
        columns = ["user", "item", "rank"]
        table = read_table(file, columns, None, AGAIN).select(columns)
        fits = table.dtypes[:2] == [pl.String, pl.String] and table.dtypes[2].is_numeric()
        if not fits or any(table.null_count().row(0)) or table.is_empty():
            raise UserError(f"{file}: must hold texts in `user` and `item`, and numbers in `rank`; {AGAIN}")
        return table


@dataclass(frozen=True)
class Found:
    """The content of a folder of runs.

    Args:
        runs: its results, one per run and protocol.
        unfinished: folders of runs without a result, but for those that were fitted without a test.
    """

    runs: tuple[Run, ...]
    unfinished: tuple[Path, ...]


def find_runs(*folders: Path) -> Found:
    """Read every result below some folders: `<model>/seed<k>/result*.json` at any depth, and copied result files in it.

    Links are followed, and a run that is reached twice counts once. A run that was set aside (`seed1.1`) is left out.
    The folder names the model: a copied model folder is a model of its own. A copied file is
    `<dataset>_<model>_seed<k>.json`; other JSON files are ignored.

    Raises:
        NoResults: the folder holds no result.
        UserError: a result is damaged, or two runs of a model have the same seed.
    """
    runs: list[Run] = []
    unfinished: list[Path] = []
    places = {folder: _run_folders(folder) for folder in folders}
    for folder, found in places.items():
        if len(folders) > 1 and not found and not any(COPY.search(file.stem) for file in folder.glob("*.json")):
            raise NoResults(f"{folder} holds no results: name folders of runs")
    for place in dict.fromkeys(place for found in places.values() for place in found):
        files = sorted(
            file for pattern in ("result.json", "result_*.json") for file in place.glob(pattern) if file.is_file()
        )
        runs += map(read_run, files)
        unfinished += [] if files or _needs_no_test(place) else [place]
    copies = dict.fromkeys(file for folder in folders for file in sorted(folder.glob("*.json")))
    runs += [_read_copy(file) for file in copies if COPY.search(file.stem)]
    if not runs:
        waiting = f"; unfinished runs: {', '.join(map(str, unfinished))}" if unfinished else ""
        where = " and ".join(map(str, folders))
        raise NoResults(f"{where} holds no results: run `lightning fit` first, or name a folder of runs{waiting}")
    _require_single_seeds(runs)
    return Found(tuple(runs), tuple(unfinished))


def read_run(file: Path) -> Run:
    """Read a result file in the folder of its run; the folder above names the model.

    Raises:
        UserError: the file is missing or damaged.
    """
    return Run(plain_name(file.absolute().parent.parent.name), file, read_result(file), file.parent)


def read_result(file: Path) -> Result:
    """Read a result file.

    Raises:
        UserError: the file is missing, damaged or not a result of `lightning test`.
    """
    result: Result = read_json(file, SHAPE, AGAIN)
    return result


def require_one_protocol(runs: Sequence[Run]) -> None:
    """Raise a UserError unless all results are of the same data and protocol."""
    for run in runs[1:]:
        for key in ("data_hash", "protocol"):
            if run.result[key] != runs[0].result[key]:
                raise UserError(
                    f"{run.file} and {runs[0].file} differ in {key}, so their numbers cannot be compared: move one of "
                    "them elsewhere or run it again"
                )


def plain_name(model: str) -> str:
    """Return the name of a model without the key that tables append to their folders: "sasrec-0123456789ab"."""
    return re.sub(r"-[0-9a-f]{12}$", "", model)


def _run_folders(folder: Path) -> list[Path]:
    """Return the folders of runs below a folder, or the folder itself, each by its real place rather than a link."""
    found: dict[Path, Path] = {}
    for followlinks in (False, True):
        seen: set[Path] = set()
        for place, children, _ in os.walk(folder, followlinks=followlinks):
            path, real = Path(place), Path(place).resolve()
            is_run = path.absolute().match(SEED)
            if real in seen or is_run:
                children.clear()
            if is_run and "." not in path.absolute().name:
                found.setdefault(real, path)
            seen.add(real)
    return sorted(found.values())


def _needs_no_test(folder: Path) -> bool:
    """Return whether a run was fitted without a test, as the trials of a search are."""
    try:
        return "test_after_fit: false" in (folder / "config.yaml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False


def _read_copy(file: Path) -> Run:
    result = read_result(file)
    return Run(COPY.sub("", file.stem).removeprefix(f"{result['dataset']}_"), file, result, None)


def _require_single_seeds(runs: Sequence[Run]) -> None:
    first: dict[tuple[Path, str, int], Run] = {}
    for run in runs:
        if run.folder is None:
            continue
        other = first.setdefault((run.folder.parent, run.file.name, run.seed), run)
        if other is not run:
            raise UserError(
                f"{other.folder} and {run.folder} are both of seed {run.seed} and would count as two: move one of them"
            )
