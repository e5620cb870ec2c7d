"""The one paired comparison: whether models differ from a baseline, user by user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.errors import UserError
from mmrec.metrics.paired import Difference, constant, differences, paired_p
from mmrec.metrics.ranking import metric_of
from mmrec.results.aggregate import Model
from mmrec.results.load import Run
from mmrec.results.measures import heading, metric
from mmrec.results.table import ABSENT, DIFFERS, Cell, Column, Table

NOTES = (
    "By user, averaged over the seeds of a model. Interval: of the difference, bootstrap over users. Effect: Cohen's d "
    "of the paired differences. p over runs: t-test paired over seeds, not corrected.",
    "A model with one seed is compared as it was trained: the test says nothing about other seeds.",
)


@dataclass(frozen=True)
class Compared:
    """One model in a paired comparison.

    Args:
        means: mean over the users, for each seed.
        difference: difference from the baseline over users; None for the baseline itself.
        p_of_runs: p of the paper's test, paired over the seeds that both models have, not corrected; None if the
            difference is the same with each seed or fewer than two are shared.
    """

    means: tuple[float, ...]
    difference: Difference | None = None
    p_of_runs: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the model differs significantly from the baseline."""
        return self.difference is not None and self.difference.significant


def compare_users(models: Mapping[str, Model], baseline: str, key: str) -> dict[str, Compared]:
    """Compare models with one of them on the same users.

    Args:
        models: models of one board by name, each with at least one run.
        baseline: name of the model to compare with.
        key: name of the metric.

    Returns:
        the comparison by name, the baseline included; p values are corrected after Holm for all the others.

    Raises:
        UserError: the ranks of a run cannot be read, or two runs have other users.
    """
    first = next(iter(models.values())).runs[0]
    values = {name: by_user(model.runs, key, first) for name, model in models.items()}
    means = {name: of_users.mean(axis=0) for name, of_users in values.items()}
    found = differences(means, means.pop(baseline))
    seeds = {name: model.values(metric(key)) for name, model in models.items()}
    return {
        name: Compared(
            tuple(of_users.mean(axis=1).tolist()),
            found.get(name),
            None if name == baseline else p_of_runs(seeds[name], seeds[baseline]),
        )
        for name, of_users in values.items()
    }


def by_user(runs: Sequence[Run], key: str, same_as: Run | None = None) -> NDArray[np.float64]:
    """Return a metric of each user, in the order of their ids, by run: (runs, users).

    Args:
        runs: runs of one dataset and protocol.
        key: name of a metric, see `metric_of`, with or without a protocol's ending; a user's value is the mean over
            the user's test instances.
        same_as: run whose users they must have; by default the first.

    Raises:
        UserError: the ranks of a run cannot be read, or two runs have other users.
    """
    first = same_as or runs[0]
    users = _users(first)
    rows = []
    for run in runs:
        if not _users(run).equals(users):
            raise UserError(f"{run.file} and {first.file} were tested on different users: run one of them again")
        gains = metric_of(run.ranks["rank"].to_torch(), key.partition("_")[0]).numpy()
        table = run.ranks.select("user", gain=pl.Series(gains))
        rows.append(table.group_by("user").agg(pl.col("gain").mean()).sort("user")["gain"].to_numpy())
    return np.stack(rows).astype(np.float64)


def instances_by_user(run: Run) -> NDArray[np.int64]:
    """Return the number of test instances of each user of a run (users,), in the order of `by_user`."""
    return run.ranks.group_by("user").len().sort("user")["len"].to_numpy().astype(np.int64)


def p_of_runs(values: Mapping[int, float], base: Mapping[int, float]) -> float | None:
    """Return the p of the t-test paired over seeds; None if fewer than two are shared or the difference is constant.

    Args:
        values: metric by seed.
        base: metric of the baseline by seed.
    """
    seeds = sorted(values.keys() & base.keys())
    ours, theirs = (np.array([of_seed[seed] for seed in seeds]) for of_seed in (values, base))
    # For example of two models without training, which are the same with every seed.
    return None if constant(ours - theirs) else paired_p(ours, theirs)


def differences_table(title: str, models: Mapping[str, Model], compared: Mapping[str, Compared], key: str) -> Table:
    """Return a paired comparison as a table, one row per model.

    Args:
        title: caption of the table.
        models: models that were compared by name, in the order of the rows.
        compared: see `compare_users`.
        key: name of the metric.
    """
    heads = (heading(key), "difference", "95 % interval", "effect (d)", "p (Holm)", "p over runs")
    rows = []
    for name, model in models.items():
        found = compared[name]
        spread = f"{stdev(found.means):.4f}" if len(found.means) > 1 else ""
        cells = [Cell(model.label, model.label, colour=model.colour), Cell(str(len(found.means)), len(found.means))]
        cells.append(Cell(f"{fmean(found.means):.4f}", fmean(found.means), spread))
        rows.append((*cells, *_difference_cells(found)))
    notes = NOTES if any(len(found.means) == 1 for found in compared.values()) else NOTES[:1]
    return Table(title, (Column("model", words=True), Column("seeds"), *map(Column, heads)), tuple(rows), notes)


def _difference_cells(found: Compared) -> tuple[Cell, ...]:
    if found.difference is None:
        return (Cell("baseline"), *(Cell("") for _ in range(4)))
    relative, (low, high) = found.difference.relative, found.difference.interval
    return (
        Cell("-" if relative is None else f"{relative:+.1%}", relative, signs=DIFFERS if found.significant else ""),
        Cell(f"{low:+.4f} {high:+.4f}"),
        Cell(f"{found.difference.effect:+.2f}", found.difference.effect),
        Cell(f"{found.difference.p:.3g}", found.difference.p),
        ABSENT if found.p_of_runs is None else Cell(f"{found.p_of_runs:.3g}", found.p_of_runs),
    )


def _users(run: Run) -> pl.Series:
    return run.ranks["user"].unique().sort()
