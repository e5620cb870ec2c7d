"""Whether models differ from one of them, user by user: what a mean over a few seeds cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich import box
from rich.markup import escape
from rich.table import Table

from mmrec.errors import UserError
from mmrec.metrics.paired import Difference, differences
from mmrec.metrics.ranking import rank_metrics
from mmrec.results.load import Result, read_ranks


def paired_table(found: list[tuple[Path, Result]], against: str) -> Table:
    """Compare NDCG@10 of every model with one model's on the same users, see `mmrec.metrics.paired`.

    The value of a user is the mean over the seeds of a model and the user's test instances.

    Args:
        found: folder and result of each run, of one protocol.
        against: name of the model to compare with.

    Raises:
        UserError: no run has that name, or the ranks of a run cannot be read.
    """
    models: dict[str, list[Path]] = {}
    for path, result in found:
        models.setdefault(result["model"], []).append(path)
    if against not in models:
        raise UserError(f"--against {against}: no such model here, but {', '.join(models)}")
    table = Table(title=f"NDCG@10 by user against {escape(against)}", box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    for name in ("seeds", "ndcg@10", "deviation", "difference", "95 % interval", "effect (d)", "p (Holm)"):
        table.add_column(name, justify="right")
    values = {model: by_user(paths) for model, paths in models.items()}
    means = {model: of_users.mean(axis=0) for model, of_users in values.items()}
    base = means.pop(against)
    against_base = differences(means, base)
    for model, of_users in values.items():
        of_seeds = of_users.mean(axis=1)
        spread = f"{of_seeds.std(ddof=1):.4f}" if len(of_seeds) > 1 else "-"
        row = [escape(model), str(len(of_seeds)), f"{of_seeds.mean():.4f}", spread]
        table.add_row(*row, *(difference_cells(against_base[model]) if model in against_base else ()))
    return table


def by_user(runs: Sequence[Path], metric: str = "ndcg@10") -> NDArray[np.float64]:
    """Return a metric of each user (in the order of their ids) by run, (runs, users).

    Args:
        runs: their folders; of one dataset and protocol, so of the same users.
        metric: one of `rank_metrics`; the mean over a user's test instances.

    Raises:
        UserError: the ranks of a run cannot be read.
    """
    rows = []
    for run in runs:
        ranks = read_ranks(run)
        gains = ranks.select("user", gain=pl.Series(rank_metrics(ranks["rank"].to_torch())[metric].numpy()))
        rows.append(gains.group_by("user").agg(pl.col("gain").mean()).sort("user")["gain"].to_numpy())
    return np.stack(rows).astype(np.float64)


def instances_by_user(run: Path) -> NDArray[np.int64]:
    """Return how many test instances each user of a run has (users,), in the order of `by_user`."""
    return read_ranks(run).group_by("user").len().sort("user")["len"].to_numpy().astype(np.int64)


def difference_cells(difference: Difference) -> tuple[str, str, str, str]:
    """Form a difference for a table: relative, interval, effect, p."""
    low, high = difference.interval
    return (
        "-" if difference.relative is None else f"{difference.relative:+.1%}",
        f"{low:+.4f} {high:+.4f}",
        f"{difference.effect:+.2f}",
        f"{difference.p:.3g}",
    )
