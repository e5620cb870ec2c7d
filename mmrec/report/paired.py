"""Whether models differ from one of them, user by user: what a mean over a few seeds cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich import box
from rich.markup import escape
from rich.table import Table
from scipy.stats import ttest_rel

from mmrec.errors import UserError
from mmrec.metrics.ranking import ndcg
from mmrec.metrics.significance import bootstrap_interval, holm
from mmrec.report.results import Result, read_ranks


def paired_table(found: list[tuple[Path, Result]], against: str) -> Table:
    """Compare NDCG@10 of every model with one model's on the same users.

    The value of a user is the mean over the seeds of a model and the user's test instances. The difference of the means
    stands beside its 95 % bootstrap interval over users and the p of a paired t-test, corrected after Holm for as many
    comparisons as there are rows.

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
    for name in ("seeds", "ndcg@10", "deviation", "difference", "95 % interval", "p (Holm)"):
        table.add_column(name, justify="right")
    base = _by_user(models[against])
    values = {model: _by_user(paths) for model, paths in models.items()}
    others = [model for model in models if model != against]
    p_values = dict(
        zip(others, holm([_p_value(values[m].mean(axis=0), base.mean(axis=0)) for m in others]), strict=True)
    )
    for model, of_users in values.items():
        means = of_users.mean(axis=1)
        spread = f"{means.std(ddof=1):.4f}" if len(means) > 1 else "-"
        row = [escape(model), str(len(means)), f"{means.mean():.4f}", spread]
        table.add_row(*row, *_difference(of_users.mean(axis=0), base.mean(axis=0), p_values.get(model)))
    return table


def _by_user(paths: list[Path]) -> NDArray[np.float64]:
    """Return NDCG@10 of each user (in the order of their ids) by seed, (seeds, users)."""
    rows = []
    for path in paths:
        ranks = read_ranks(path)
        gains = ranks.select("user", gain=pl.Series(ndcg(ranks["rank"].to_torch(), 10).numpy()))
        rows.append(gains.group_by("user").agg(pl.col("gain").mean()).sort("user")["gain"].to_numpy())
    return np.stack(rows).astype(np.float64)


def _p_value(values: NDArray[np.float64], base: NDArray[np.float64]) -> float:
    return float(ttest_rel(values, base).pvalue) if (values != base).any() else 1.0


def _difference(values: NDArray[np.float64], base: NDArray[np.float64], p: float | None) -> tuple[str, str, str]:
    if p is None:
        return "", "", ""
    mean = base.mean()
    low, high = bootstrap_interval(lambda i: float((values[i] - base[i]).mean()), len(base))
    return (
        f"{(values.mean() - mean) / mean:+.1%}" if mean else "-",
        f"{low:+.4f} {high:+.4f}",
        f"{p:.3g}",
    )
