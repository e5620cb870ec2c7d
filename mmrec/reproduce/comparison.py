"""The tables of models: rows against columns with the paper's numbers, and the differences from the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmrec.metrics.paired import LEVEL
from mmrec.reproduce.collect import Rows
from mmrec.reproduce.columns import LATENCY, column
from mmrec.reproduce.latency import REQUESTS, measured_on
from mmrec.reproduce.spec import Spec
from mmrec.reproduce.stamp import machine, several
from mmrec.results.measures import METRICS, SECONDS_PER_EPOCH, Measure, heading
from mmrec.results.paired import Compared, compare_users, differences_table
from mmrec.results.published import reported
from mmrec.results.table import DIFFERS, UNSURE, Cell, Column, Table
from mmrec.results.tables import measure_cells, name_cell, number_cell

Tests = Mapping[str, Compared]


def main_metric(spec: Spec) -> str | None:
    """Return the metric that is tested and drawn: NDCG@10 if the table has it, else its first metric."""
    metrics = [key for key in spec.metrics if key in METRICS]
    return "ndcg@10" if "ndcg@10" in metrics else next(iter(metrics), None)


def tested(spec: Spec, rows: Rows) -> Tests:
    """Compare every finished row with the baseline, by name; empty without a finished baseline."""
    metric = main_metric(spec)
    finished = _finished(rows)
    if metric is None or spec.baseline not in finished:
        return {}
    return compare_users(finished, spec.baseline, metric)


def main_table(spec: Spec, dataset: str, rows: Rows, tests: Tests, stamp: str) -> Table:
    """Return the table of one dataset: mean and deviation over seeds, marks, signs and the paper's numbers.

    Args:
        spec: the table.
        dataset: name of the dataset.
        rows: rows on this dataset.
        tests: comparison with the baseline, see `tested`.
        stamp: the last note.
    """
    measures, models = [column(key) for key in spec.metrics], list(rows.values())
    papers = [_reported(spec, model.label) for model in models]
    columns: list[tuple[Column, list[Cell]]] = [
        (Column("model", words=True), [replace(name_cell(m), signs=UNSURE if m.uncommitted else "") for m in models]),
        (Column("seeds"), [number_cell(len(model.runs)) for model in models]),
    ]
    for measure in measures:
        differing = {name for name, test in tests.items() if test.significant and measure.key == main_metric(spec)}
        cells = zip(rows, measure_cells(measure, models), strict=True)
        signed = [replace(cell, signs=DIFFERS if name in differing else "") for name, cell in cells]
        columns.append((Column(measure.heading), signed))
        if any(measure.key in paper for paper in papers):
            columns.append((Column("reported"), [_paper_cell(paper.get(measure.key), measure) for paper in papers]))
    notes = [*_notes(spec, rows, tests, measures), stamp]
    if any(head.heading == "reported" for head, _ in columns):
        notes.insert(
            1, f"reported: Table {spec.paper_table} of the paper, on the paper's data and protocol, not on ours."
        )
    heads, content = zip(*columns, strict=True)
    return Table(f"{spec.title}, {dataset}", heads, tuple(zip(*content, strict=True)), tuple(notes))


def tests_table(spec: Spec, dataset: str, rows: Rows, tests: Tests) -> Table:
    """Return the differences from the baseline, next to the paper's improvements if it has any."""
    metric = main_metric(spec) or ""
    baseline = rows[spec.baseline or ""].label
    made = differences_table(f"{heading(metric)} against {baseline}, {dataset}", _finished(rows), tests, metric)
    improvements = [_reported(spec, rows[name].label).get("improvement") for name in tests]
    if all(value is None for value in improvements):
        return made
    cells = [Cell("") if value is None else Cell(f"{value / 100:+.1%}", value / 100) for value in improvements]
    rows_with = tuple((*row, cell) for row, cell in zip(made.rows, cells, strict=True))
    return replace(made, columns=(*made.columns, Column("reported")), rows=rows_with)


def records(spec: Spec, dataset: str, rows: Rows, tests: Tests) -> list[dict[str, Any]]:
    """Return the content of both tables, unrounded: one record per row and column."""
    made = []
    values = {row.name: row.value for row in spec.rows}
    for name, model in rows.items():
        paper = _reported(spec, model.label)
        for key in spec.metrics:
            measure = column(key)
            test = tests.get(name) if key == main_metric(spec) else None
            difference = test.difference if test else None
            low, high = difference.interval if difference else (None, None)
            made.append({
                "table": spec.name, "dataset": dataset, "row": name, "label": model.label, "column": key,
                "swept": values[name], "seeds": len(model.runs), "mean": model.mean(measure),
                "deviation": model.deviation(measure), "reported": paper.get(key),
                "against": spec.baseline if difference else None,
                "difference": difference.mean if difference else None, "low": low, "high": high,
                "effect": difference.effect if difference else None, "p_holm": difference.p if difference else None,
                "p_over_runs": test.p_of_runs if test else None,
                "uncommitted": model.uncommitted if model.runs else None,
            })  # fmt: skip
    return made


def _finished(rows: Rows) -> Rows:
    return {name: model for name, model in rows.items() if model.runs}


def _reported(spec: Spec, label: str) -> dict[str, float]:
    return {} if spec.paper_table is None else reported(spec.paper_table, label)


def _paper_cell(value: float | None, measure: Measure) -> Cell:
    return Cell("") if value is None else Cell(measure.print(value), value)


def _notes(spec: Spec, rows: Rows, tests: Tests, measures: Sequence[Measure]) -> list[str]:
    models = list(rows.values())
    words = []
    if any(len(model.runs) > 1 for model in models):
        words.append("Mean ± standard deviation over seeds where there are several.")
    if any(measure.best for measure in measures):
        words.append("Best of a column bold, second underlined.")
    if SECONDS_PER_EPOCH in measures:
        words.append("Seconds per epoch include validation.")
    if LATENCY in measures:
        machines = several(machine(measured_on(run)) for model in models for run in model.runs)
        words.append(
            f"Latency: median of {REQUESTS} single requests on {machines}; item vectors, graph and library are "
            "computed before."
        )
    if any(model.mean(measure) is None for model in models for measure in measures):
        words.append("-: not run, or without this measure.")
    notes = [" ".join(words)]
    if any(test.significant for test in tests.values()):
        notes.append(
            f"{DIFFERS} significantly different from {rows[spec.baseline or ''].label} in "
            f"{heading(main_metric(spec) or '')}: paired t-test over users, p < {LEVEL} after Holm's correction for "
            f"{len(tests) - 1} comparisons."
        )
    if any(model.uncommitted for model in models if model.runs):
        notes.append(f"{UNSURE} from code with uncommitted changes, or of unknown version.")
    return notes
