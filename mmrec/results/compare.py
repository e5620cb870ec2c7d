"""All results below a folder as tables in the terminal: `mmrec compare`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.text import Text

from mmrec.errors import UserError
from mmrec.results.aggregate import Board, Model, boards
from mmrec.results.load import find_runs
from mmrec.results.measures import EPOCHS, PARAMETERS, SECONDS, Measure, cost, heading, of_group
from mmrec.results.paired import compare_users, differences_table
from mmrec.results.table import Table
from mmrec.results.tables import beyond_of, metrics_of, runs_table, slices_of
from mmrec.results.writers.terminal import write
from mmrec.utils.console import wide_console


@dataclass(frozen=True, kw_only=True)
class Extra:
    """Tables that `mmrec compare` shows on request.

    Args:
        groups: CSV file with a header, user (raw id) in the first column and group in the second: NDCG@10 by group.
        slices: NDCG@10 by slice of the target item, see `mmrec.metrics.slices`.
        cost: time per epoch, time to the best epoch and peak memory.
        beyond: coverage, Gini, novelty and diversity of the lists, see `mmrec.metrics.beyond_accuracy`.
        against: name of a model: paired differences from it by user, see `mmrec.results.paired`.
    """

    groups: Path | None = None
    slices: bool = False
    cost: bool = False
    beyond: bool = False
    against: str | None = None


def compare_runs(*folders: Path, extra: Extra | None = None, console: Console | None = None) -> None:
    """Print metrics, size and time of each run, best NDCG@10 last, and further tables on request.

    Runs that differ in data or protocol are shown in tables of their own; unfinished runs are listed.

    Args:
        folders: folders of runs or of copied results, see `find_runs`.
        extra: further tables.
        console: where to print.

    Raises:
        UserError: the folder holds no results, a file is damaged, or no run has what a further table shows.
    """
    console, extra = console or wide_console(), extra or Extra()
    found = find_runs(*folders)
    made = boards(found.runs)
    tables = [[_results(board, name_data=len(made) > 1)] for board in made]
    for words, make in _makers(extra, made):
        filled = {place: table for place, board in enumerate(made) if (table := make(board)) is not None}
        if not filled:
            raise UserError(words)
        for place, table in filled.items():
            tables[place].append(table)
    for table in (table for of_board in tables for table in of_board):
        write(table, console)
    for run in found.unfinished:
        console.print(Text(f"unfinished, not shown: {run}"), soft_wrap=True)


Maker = Callable[[Board], Table | None]


def _makers(extra: Extra, made: list[Board]) -> list[tuple[str, Maker]]:
    """Return the makers of the requested tables, each with the message for the case that no board has such a table."""
    again = "run `lightning test` for them again"
    labels = None if extra.groups is None else _labels(extra.groups)
    groups = [] if labels is None else [of_group(name, labels) for name in sorted(labels["group"].unique())]
    of_measures: list[tuple[bool, str, Callable[[Board], list[Measure]], str]] = [
        (extra.groups is not None, "NDCG@10 by group of users", lambda board: groups,
         f"--groups {extra.groups}: none of its users is in the runs: its first column must be the raw user ids"),
        (extra.slices, "NDCG@10 by slice of the target item", slices_of, f"no result here has slices: {again}"),
        (extra.cost, "cost", lambda board: cost(board.runs), ""),
        (extra.beyond, "beyond accuracy", beyond_of, f"no result here has measures beyond accuracy: {again}"),
    ]  # fmt: skip
    makers: list[tuple[str, Maker]] = [
        (words, partial(_table, title, measures)) for on, title, measures, words in of_measures if on
    ]
    if extra.against is not None:
        names = ", ".join(dict.fromkeys(model.name for board in made for model in board.models))
        words = f"--against {extra.against}: not a model of these folders, which have {names}"
        makers.append((words, partial(_differences, extra.against)))
    return makers


def _results(board: Board, name_data: bool) -> Table:
    title = f"{board.dataset}: {board.protocol_words}" + (f"; data {board.data_hash[:12]}" if name_data else "")
    table = runs_table(title, _ascending(board), [*metrics_of(board), PARAMETERS, EPOCHS, SECONDS])
    return replace(table, notes=(*table.notes, *_cautions(board)))


def _cautions(board: Board) -> list[str]:
    """Return a line for each run whose starting run was trained on test interactions."""
    return [
        f"{model.label}, seed {run.seed}: started from a run that was trained on {run.held_out_again:,} of the "
        f"{run.result['protocol']['instances']:,} test interactions, so its metrics are too high."
        for model in board.models
        for run in model.runs
        if run.held_out_again
    ]


def _table(title: str, measures_of: Callable[[Board], list[Measure]], board: Board) -> Table | None:
    measures = measures_of(board)
    has_values = any(model.values(measure) for measure in measures for model in board.models)
    return runs_table(title, _ascending(board), measures) if has_values else None


def _differences(name: str, board: Board) -> Table | None:
    """Return the paired differences from a model, given the name of its folder or its printed name."""
    baseline = next((model for model in board.models if name in (model.label, model.name)), None)
    if baseline is None:
        return None
    title = f"{heading(board.main)} by user against {baseline.label}"
    models = {model.label: model for model in _ascending(board)}
    return differences_table(title, models, compare_users(models, baseline.label, board.main), board.main)


def _ascending(board: Board) -> list[Model]:
    return list(reversed(board.models))


def _labels(file: Path) -> pl.DataFrame:
    """Read the group of each user; users without one are left out, and of a repeated user the first group counts."""
    if not file.is_file():
        raise UserError(f"--groups {file}: no such file")
    try:
        labels = pl.read_csv(file, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        raise UserError(f"--groups {file}: not a CSV file ({str(error).splitlines()[0]})") from None
    if labels.width < 2:
        raise UserError(f"--groups {file}: needs two columns, user and group, but has {', '.join(labels.columns)}")
    labels = labels.select(labels.columns[:2])
    labels.columns = ["user", "group"]
    return labels.drop_nulls().unique("user", keep="first")
