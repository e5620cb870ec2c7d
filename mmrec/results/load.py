"""What runs have left: their `result.json`, and the ranks of their test instances."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrec.errors import UserError

Result = dict[str, Any]
KEYS = {"dataset", "model", "seed", "metrics", "protocol", "data_hash", "parameters", "training"}
"""What every result has."""


def load_results(folder: Path) -> list[tuple[Path, Result]]:
    """Read every `<model>/seed<k>/result.json` below a folder; runs kept aside (seed1.1) do not count.

    Where no run was tested by full ranking without the history, the results of another protocol are read.
    The folder says the model: one that was renamed or copied is a model of its own, and no further seeds of the first.

    Raises:
        UserError: there is none, one is not JSON, or two runs of a model have the same seed.
    """
    found = _read_runs(folder, "*/seed*")
    if not found:
        raise UserError(
            f"{folder} holds no */seed*/result.json: run `lightning fit` first, or name the folder of a dataset"
        )
    return found


def find_results(folder: Path) -> list[tuple[Path, Result]]:
    """Read every result below a folder: those of runs at any depth, and result files that were copied into it.

    A copied file (`experiments/results/*.json`) is named `<dataset>_<model>_seed<k>.json`; its name says the model, for
    what was told apart by folders would be lost otherwise. Other JSON files of the folder are passed over.

    Returns:
        the run's folder, or the copied file, and the result.

    Raises:
        UserError: there is none, one is not JSON, or two runs of a folder have the same seed.
    """
    found = _read_runs(folder, "**/seed*")
    for path in sorted(folder.glob("*.json")):
        result = _read(path)
        if _is_result(result):
            name = path.stem.removeprefix(f"{result['dataset']}_").removesuffix(f"_seed{result['seed']}")
            found.append((path, {**result, "model": name}))
    if not found:
        raise UserError(f"{folder} holds no results: run `lightning fit` first, or name a folder of runs or results")
    return found


def read_result(file: Path) -> Result:
    """Read a `result.json`.

    Raises:
        UserError: there is no such file, or it is none of `lightning test`.
    """
    result = _read(file)
    if not _is_result(result):
        raise UserError(f"{file} is no result of `lightning test`: run it again, or move the file away")
    return dict(result)


def require_one_protocol(found: Sequence[tuple[Path, Result]]) -> None:
    """Raise a UserError unless all results are of the same data and protocol; (folder, result) each."""
    for path, result in found[1:]:
        first_path, first = found[0]
        for key in ("data_hash", "protocol"):
            if result[key] != first[key]:
                raise UserError(
                    f"{path} and {first_path} differ in {key}, so their numbers do not compare: "
                    "move one of them elsewhere or run it again"
                )


def seconds_per_epoch(result: Result) -> float | None:
    """Return the mean seconds of an epoch, its validation included; None for what has no epochs."""
    training = result["training"]
    return training["seconds"] / training["epochs"] if training["epochs"] else None


def plain_name(model: str) -> str:
    """Return the name of a model without the identity that tables give their runs' folders: sasrec-0123456789ab."""
    return re.sub(r"-[0-9a-f]{12}$", "", model)


def _read_runs(folder: Path, runs: str) -> list[tuple[Path, Result]]:
    files = [_result_file(run) for run in sorted(folder.glob(runs)) if "." not in run.name]
    names = sorted({file.name for file in files if file.is_file()}, key=len)
    files = [file for file in files if file.name in names[:1]]
    found = [(file.parent, {**read_result(file), "model": file.parent.parent.name}) for file in files]
    seeds: dict[tuple[Path, int], Path] = {}
    for run, result in found:
        first = seeds.setdefault((run.parent, result["seed"]), run)
        if first != run:
            raise UserError(
                f"{first} and {run} are both of seed {result['seed']}, and would count as two: move one elsewhere"
            )
    return found


def _result_file(run: Path) -> Path:
    """Return a run's result of the default protocol, which has the shortest name, else of another."""
    return min(run.glob("result*.json"), key=lambda file: len(file.name), default=run / "result.json")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); run `lightning test` for it again") from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise UserError(f"{file}: not valid JSON ({error}); run `lightning test` for it again") from None


def _is_result(content: object) -> bool:
    return isinstance(content, dict) and content.keys() >= KEYS


def read_ranks(run: Path) -> pl.DataFrame:
    """Return user, item and rank of every test instance of a run, given its folder; of the protocol that is compared.

    Raises:
        UserError: the file is missing or damaged.
    """
    file = run / f"test_ranks{_result_file(run).stem.removeprefix('result')}.parquet"
    try:
        return pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file}: unreadable ({reason}); run `lightning test` again") from None
