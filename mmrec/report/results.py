"""What runs have left: their `result.json`, and the ranks of their test instances."""

from __future__ import annotations

import json
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
    found = []
    for path in sorted(folder.glob("*/seed*/result.json")):
        if "." in path.parent.name:
            continue
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:  # no JSON, or no UTF-8
            raise UserError(f"{path}: not valid JSON ({error}); run `lightning test` for it again") from None
        if not isinstance(result, dict) or not result.keys() >= KEYS:
            raise UserError(f"{path} is no result of `lightning test`: run it again, or move the file away")
        found.append((path.parent, result))
    if not found:
        raise UserError(
            f"{folder} holds no */seed*/result.json: run `lightning fit` first, or name the folder of a dataset"
        )
    return found


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
