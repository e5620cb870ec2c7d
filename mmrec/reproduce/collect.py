"""The finished runs of a table, by dataset and row."""

from __future__ import annotations

from collections.abc import Sequence

from mmrec.reproduce.columns import require_column
from mmrec.reproduce.spec import Cell, Spec
from mmrec.results.aggregate import Model
from mmrec.results.load import read_run, require_one_protocol

Rows = dict[str, Model]
"""The rows of a table on one dataset by name, in the order of the table; rows that have not been run have no runs."""


def collect(spec: Spec, cells: Sequence[Cell]) -> dict[str, Rows]:
    """Read the results of a table's runs.

    Args:
        spec: the table.
        cells: its finished runs.

    Returns:
        the rows by dataset.

    Raises:
        UserError: a result cannot be read or lacks a column of the table, or two results of one dataset differ in
            protocol or data.
    """
    datasets: dict[str, Rows] = {}
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        own = sorted((cell for cell in cells if cell.dataset == dataset), key=lambda cell: cell.seed)
        read = [(cell.row.name, read_run(cell.folder / "result.json")) for cell in own]
        require_one_protocol([run for _, run in read])
        for _, run in read:
            for key in spec.metrics:
                require_column(run, key)
        datasets[dataset] = {
            row.name: Model(row.label, tuple(run for name, run in read if name == row.name), row.name)
            for row in spec.rows
        }
    return datasets
