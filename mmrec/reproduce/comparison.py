"""Rows of models against columns of measures, the paper's figures beside ours, and what differs from the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrec.metrics.paired import LEVEL, Difference, differences, paired_p
from mmrec.reproduce.collect import Runs
from mmrec.reproduce.columns import Column, column, is_metric
from mmrec.reproduce.latency import REQUESTS, measured_on
from mmrec.reproduce.spec import Spec
from mmrec.reproduce.stamp import machine, several
from mmrec.results.paired import by_user, difference_cells
from mmrec.results.published import reported
from mmrec.results.table import DIFFERS, UNSURE, Entry, Table, marks

NONE = Entry("-")


@dataclass(frozen=True)
class Tested:
    """How a row differs from the baseline in the table's main metric.

    Args:
        by_user: over the users of the test, the mean over seeds of each.
        p_of_runs: of the paper's test, paired over the seeds that both have, uncorrected; None where it says nothing.
    """

    by_user: Difference
    p_of_runs: float | None


def main_metric(spec: Spec) -> str | None:
    """Return the metric that is tested and drawn: NDCG@10 where the table has it, else its first one."""
    metrics = [key for key in spec.metrics if is_metric(key)]
    return "ndcg@10" if "ndcg@10" in metrics else next(iter(metrics), None)


def tested(spec: Spec, runs: Sequence[Runs]) -> dict[str, Tested]:
    """Compare every finished row with the baseline; empty where the table has none or it has not been run.

    Args:
        spec: the table.
        runs: its rows on one dataset.

    Returns:
        by name of the row, without the baseline; p values corrected after Holm for all of them.
    """
    metric = main_metric(spec)
    finished = {row.row.name: row for row in runs if row.folders}
    if metric is None or spec.baseline not in finished:
        return {}
    users = {name: by_user(list(row.folders.values()), metric).mean(axis=0) for name, row in finished.items()}
    found = differences(users, users.pop(spec.baseline))
    base = finished[spec.baseline].values(column(metric))
    return {name: Tested(found[name], _p_of_runs(finished[name].values(column(metric)), base)) for name in found}


def main_table(spec: Spec, dataset: str, runs: Sequence[Runs], tests: Mapping[str, Tested], stamp: str) -> Table:
    """Return the table of one dataset: mean and deviation over seeds, marks, signs, the paper's figures.

    Args:
        spec: the table.
        dataset: on which.
        runs: its rows on it.
        tests: see `tested`.
        stamp: the last note.
    """
    names = tuple(Entry(row.row.label, signs=UNSURE if row.unsure_code else "") for row in runs)
    headings, entries = ["model", "seeds"], [names, tuple(Entry(str(len(row.results))) for row in runs)]
    papers = [{} if spec.paper_table is None else reported(spec.paper_table, row.row.label) for row in runs]
    for key in spec.metrics:
        shown = column(key)
        differing = {name for name, test in tests.items() if test.by_user.significant and key == main_metric(spec)}
        headings.append(shown.heading)
        entries.append(_entries(shown, runs, differing))
        if any(key in paper for paper in papers):
            headings.append("reported")
            entries.append(tuple(Entry(shown.form(paper[key])) if key in paper else Entry("") for paper in papers))
    notes = [_legend(runs, [column(key) for key in spec.metrics])]
    if "reported" in headings:
        notes.append(f"reported: Table {spec.paper_table} of the paper, on the paper's data and protocol, not on ours.")
    if any(test.by_user.significant for test in tests.values()):
        notes.append(
            f"{DIFFERS} significantly different from {_label(spec, spec.baseline)} in {_heading(spec)}: paired t-test "
            f"over users, p < {LEVEL} after Holm's correction for {len(tests)} comparisons."
        )
    if any(row.unsure_code for row in runs if row.results):
        notes.append(f"{UNSURE} from code with uncommitted changes, or of no known commit.")
    return Table(f"{spec.title}, {dataset}", tuple(headings), tuple(zip(*entries, strict=True)), (*notes, stamp))


def differences_table(spec: Spec, dataset: str, runs: Sequence[Runs], tests: Mapping[str, Tested]) -> Table:
    """Return what `tested` has found, the paper's improvements beside it where it prints any."""
    papers = {
        row.row.name: {} if spec.paper_table is None else reported(spec.paper_table, row.row.label) for row in runs
    }
    improved = any("improvement" in papers[name] for name in tests)
    headings = ["model", "difference", "95 % interval", "effect (d)", "p (Holm)", "p over runs"]
    rows = []
    for name, test in tests.items():
        relative, *others = difference_cells(test.by_user)
        cells = [
            Entry(_label(spec, name)),
            Entry(relative, signs=DIFFERS if test.by_user.significant else ""),
            *map(Entry, others),
            NONE if test.p_of_runs is None else Entry(f"{test.p_of_runs:.3g}"),
        ]
        if improved:
            paper = papers[name].get("improvement")
            cells.append(Entry("" if paper is None else f"{paper / 100:+.1%}"))
        rows.append(tuple(cells))
    notes = [
        "By user, the mean over a row's seeds. Interval: of the difference, bootstrap over users. Effect: Cohen's d of "
        "the paired differences. p over runs: the paper's t-test, paired over seeds, not corrected.",
    ]
    if any(len(row.results) == 1 for row in runs):
        notes.append("A row of one seed is compared as it was trained: what other seeds would give, no test knows.")
    title = f"{_heading(spec)} against {_label(spec, spec.baseline)}, {dataset}"
    return Table(title, (*headings, *(["reported"] if improved else [])), tuple(rows), tuple(notes))


def records(spec: Spec, dataset: str, runs: Sequence[Runs], tests: Mapping[str, Tested]) -> list[dict[str, Any]]:
    """Return what both tables show, unrounded: one record a row and column."""
    made = []
    for row in runs:
        paper = {} if spec.paper_table is None else reported(spec.paper_table, row.row.label)
        for key in spec.metrics:
            shown = column(key)
            record = {
                "table": spec.name, "dataset": dataset, "row": row.row.name, "label": row.row.label, "column": key,
                "swept": row.row.value, "seeds": len(row.results), "mean": row.mean(shown),
                "deviation": row.deviation(shown), "reported": paper.get(key), "against": None, "difference": None,
                "low": None, "high": None, "effect": None, "p_holm": None, "p_over_runs": None,
                "uncommitted": row.unsure_code if row.results else None,
            }  # fmt: skip
            if key == main_metric(spec) and row.row.name in tests:
                test = tests[row.row.name]
                low, high = test.by_user.interval
                record |= {
                    "against": spec.baseline, "difference": test.by_user.mean, "low": low, "high": high,
                    "effect": test.by_user.effect, "p_holm": test.by_user.p, "p_over_runs": test.p_of_runs,
                }  # fmt: skip
            made.append(record)
    return made


def _entries(shown: Column, runs: Sequence[Runs], differing: set[str]) -> tuple[Entry, ...]:
    means = [row.mean(shown) for row in runs]
    printed = [None if value is None else shown.form(value) for value in means]
    marked = [None] * len(runs) if shown.best is None else marks(printed, highest=shown.best == "highest")
    entries = []
    for row, text, mark in zip(runs, printed, marked, strict=True):
        if text is None:
            entries.append(NONE)
            continue
        deviation = row.deviation(shown)
        spread = "" if deviation is None else f" ± {shown.form(deviation)}"
        entries.append(Entry(text + spread, mark, DIFFERS if row.row.name in differing else ""))
    return tuple(entries)


def _legend(runs: Sequence[Runs], columns: Sequence[Column]) -> str:
    words = []
    if any(len(row.results) > 1 for row in runs):
        words.append("Mean ± standard deviation over seeds where there are several.")
    if any(shown.best for shown in columns):
        words.append("Best of a column bold, second underlined.")
    if any(shown.key == "seconds_per_epoch" for shown in columns):
        words.append("Seconds of an epoch include its validation.")
    if any(shown.key == "latency_ms" for shown in columns):
        machines = several(machine(measured_on(folder)) for row in runs for folder in row.folders.values())
        words.append(
            f"Latency: median of {REQUESTS} single requests on {machines}, with item vectors, graph and library made "
            "beforehand."
        )
    if any(row.mean(shown) is None for row in runs for shown in columns):
        words.append("-: not run, or without such a value.")
    return " ".join(words)


def _p_of_runs(values: Mapping[int, float], base: Mapping[int, float]) -> float | None:
    """Return the p of the t-test over the seeds that both have, None below two or where all differ by the same."""
    seeds = sorted(values.keys() & base.keys())
    ours, theirs = (np.array([of[seed] for seed in seeds]) for of in (values, base))
    if len(seeds) < 2 or np.ptp(ours - theirs) == 0:  # as without training, where a seed changes nothing
        return None
    return paired_p(ours, theirs)


def _label(spec: Spec, name: str | None) -> str:
    return next(row.label for row in spec.rows if row.name == name)


def _heading(spec: Spec) -> str:
    return column(main_metric(spec) or spec.metrics[0]).heading
