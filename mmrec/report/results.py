"""What runs have left: their `result.json`, and the ranks of their test instances."""

from __future__ import annotations

import json
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

    Raises:
        UserError: there is none, or one is not JSON.
    """
    files = sorted(folder.glob("*/seed*/result.json"))
    found = [(file.parent, read_result(file)) for file in files if "." not in file.parent.name]
    if not found:
        raise UserError(
            f"{folder} holds no */seed*/result.json: run `lightning fit` first, or name the folder of a dataset"
        )
    return found


def read_result(file: Path) -> Result:
    """Read a `result.json`.

    Raises:
        UserError: there is no such file, or it is none of `lightning test`.
    """
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); run `lightning test` for it again") from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise UserError(f"{file}: not valid JSON ({error}); run `lightning test` for it again") from None
    if not isinstance(result, dict) or not result.keys() >= KEYS:
        raise UserError(f"{file} is no result of `lightning test`: run it again, or move the file away")
    return result


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


def read_ranks(run: Path) -> pl.DataFrame:
    """Return user, item and rank of every test instance of a run, given its folder.

    Raises:
        UserError: the file is missing or damaged.
    """
    file = run / "test_ranks.parquet"
    try:
        return pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file}: unreadable ({reason}); run `lightning test` again") from None
