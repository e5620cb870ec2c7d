"""Tables of models against measures, as `mmrec compare`, the page and the paper's tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mmrec.results.aggregate import Board, Model
from mmrec.results.load import Run
from mmrec.results.measures import Measure, beyond, heading, metric, of_slice, sections
from mmrec.results.table import ABSENT, Cell, Column, Table, marks

SHADE = 26
"""Percent of the accent colour behind the best value of a slice."""


def measures_table(
    title: str, models: Sequence[Model], measures: Sequence[Measure], ranks_by: str | None = None
) -> Table:
    """Return a table of mean and standard deviation over seeds; the best and the second best of a column are marked.

    Args:
        title: caption of the table.
        models: the models, one row each.
        measures: the measures, one column each.
        ranks_by: key of the measure that the rows are ordered by, None for no order.
    """
    columns = [Column("model", words=True), Column("seeds")]
    columns += [Column(one.heading, one.note, sorted=one.key == ranks_by) for one in measures]
    cells = [[name_cell(model) for model in models], [number_cell(len(model.runs)) for model in models]]
    cells += [measure_cells(one, models) for one in measures]
    return Table(title, tuple(columns), tuple(zip(*cells, strict=True)))


def runs_table(title: str, models: Sequence[Model], measures: Sequence[Measure]) -> Table:
    """Return a table with one row per run; nothing is averaged and nothing is marked."""
    rows = [
        (name_cell(model), number_cell(run.seed), *(measure_cell(one, replace(model, runs=(run,))) for one in measures))
        for model in models
        for run in model.runs
    ]
    columns = (Column("model", words=True), Column("seed"), *(Column(one.heading, one.note) for one in measures))
    return Table(title, columns, tuple(rows))


def metrics_of(board: Board) -> list[Measure]:
    """Return the metrics that a board's results have."""
    return [metric(name) for name in board.metrics]


def slices_of(board: Board) -> list[Measure]:
    """Return the main metric on each slice that has test instances."""
    made = [of_slice(name, board.main, board.runs) for name in sections(board.runs, "slices")]
    return [one for one in made if one.note != "0"]


def beyond_of(board: Board) -> list[Measure]:
    """Return the measures beyond accuracy that a board's results have."""
    return [beyond(name) for name in sections(board.runs, "beyond_accuracy")]


def shaded(table: Table) -> Table:
    """Return a table whose numbers from the third column on are shaded, darker for larger values of a column."""
    columns = list(zip(*table.rows, strict=True))
    made = [*columns[:2], *map(_shaded, columns[2:])]
    return replace(table, rows=tuple(zip(*made, strict=True)))


def origins_table(board: Board) -> Table:
    """Return where each result comes from: code, features, machine, time."""
    columns = [Column("model", words=True), Column("seed"), Column(heading(board.main))]
    columns += [Column(name, words=True) for name in ("commit", "features", "machine", "finished")]
    rows = []
    for model in board.models:
        for run in model.runs:
            words = (_commit(run), _features(run), _machine(run), str(run.result.get("finished", "unknown")))
            value = measure_cell(metric(board.main), replace(model, runs=(run,)))
            rows.append((name_cell(model), number_cell(run.seed), value, *(Cell(word, word) for word in words)))
    return Table("Runs", tuple(columns), tuple(rows))


def name_cell(model: Model) -> Cell:
    """Return the cell that names a model."""
    return Cell(model.label, model.label, colour=model.colour)


def number_cell(value: float | None, form: str = ",.0f") -> Cell:
    """Return the cell of a number."""
    return ABSENT if value is None else Cell(format(value, form), value)


def measure_cell(measure: Measure, model: Model) -> Cell:
    """Return the cell of a measure: its mean over the seeds of a model, with the standard deviation."""
    mean, deviation = model.mean(measure), model.deviation(measure)
    if mean is None:
        return ABSENT
    hint = ", ".join(f"seed {seed}: {measure.print(value)}" for seed, value in model.values(measure).items())
    return Cell(measure.print(mean), mean, "" if deviation is None else measure.print(deviation), hint=hint)


def measure_cells(measure: Measure, models: Sequence[Model]) -> list[Cell]:
    """Return the column of a measure with its marks."""
    cells = [measure_cell(measure, model) for model in models]
    if measure.best is None:
        return cells
    printed = [None if cell.value is None else cell.text for cell in cells]
    marked = marks(printed, highest=measure.best == "highest")
    return [replace(cell, mark=mark) for cell, mark in zip(cells, marked, strict=True)]


def _shaded(cells: Sequence[Cell]) -> list[Cell]:
    values = [cell.value for cell in cells if isinstance(cell.value, int | float)]
    low, high = min(values, default=0.0), max(values, default=0.0)

    def shade(cell: Cell) -> int:
        if not isinstance(cell.value, int | float) or high <= low:
            return 0
        return round(SHADE * (cell.value - low) / (high - low))

    return [replace(cell, shade=shade(cell)) for cell in cells]


def _commit(run: Run) -> str:
    git = run.result.get("git") or {}
    return str(git.get("commit") or "unknown")[:10] + (", with changes" if git.get("dirty") else "")


def _features(run: Run) -> str:
    features, ablation = run.result.get("features"), run.result.get("input_ablation") or run.result.get("control")
    named = str(features["encoder"]) if features else "none"
    return named + (f", {str(ablation).replace('_', ' ')}" if ablation else "")


def _machine(run: Run) -> str:
    machine = run.result.get("machine") or {}
    return f"{machine.get('device', 'unknown')}, {machine.get('threads', '?')} threads"
