"""The finished runs of a table, by dataset and row, as far as they may stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from mmrec.reproduce.columns import Column
from mmrec.reproduce.spec import Cell, Row, Spec
from mmrec.results.load import Result, read_result, require_one_protocol


@dataclass(frozen=True)
class Runs:
    """All runs of a row on one dataset.

    Args:
        row: which.
        folders: of the runs, by seed in ascending order; empty where none has finished.
        results: likewise.
    """

    row: Row
    folders: dict[int, Path]
    results: dict[int, Result]

    def values(self, column: Column) -> dict[int, float]:
        """Return a column's value by seed, of the runs that have one."""
        read = {seed: column.read(self.folders[seed], result) for seed, result in self.results.items()}
        return {seed: value for seed, value in read.items() if value is not None}

    def mean(self, column: Column) -> float | None:
        """Return the mean over seeds, None without a run."""
        values = self.values(column).values()
        return mean(values) if values else None

    def deviation(self, column: Column) -> float | None:
        """Return the standard deviation over seeds (n - 1), None below two runs."""
        values = self.values(column).values()
        return stdev(values) if len(values) > 1 else None

    @property
    def unsure_code(self) -> bool:
        """Whether a run came from uncommitted changes, or from code of which no commit is known."""
        return any((result.get("git") or {"dirty": True})["dirty"] for result in self.results.values())


def collect(spec: Spec, cells: Sequence[Cell]) -> dict[str, list[Runs]]:
    """Read the results of a table's runs.

    Args:
        spec: the table.
        cells: its finished runs.

    Returns:
        by dataset, the rows of the table in its order.

    Raises:
        UserError: a result cannot be read, or two of one dataset differ in protocol or data.
    """
    read = [(cell, read_result(cell.folder / "result.json")) for cell in sorted(cells, key=lambda cell: cell.seed)]
    datasets: dict[str, list[Runs]] = {}
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        own = [(cell, result) for cell, result in read if cell.dataset == dataset]
        require_one_protocol([(cell.folder, result) for cell, result in own])
        datasets[dataset] = [
            Runs(
                row,
                {cell.seed: cell.folder for cell, _ in own if cell.row.name == row.name},
                {cell.seed: result for cell, result in own if cell.row.name == row.name},
            )
            for row in spec.rows
        ]
    return datasets
