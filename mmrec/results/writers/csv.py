"""Tables as CSV, with unrounded values."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Mapping, Sequence
from typing import Any

from mmrec.results.table import Cell, Column, Table


def csv(table: Table) -> str:
    """Return heads and rows of a table, without title and notes; numbers in full, missing values empty."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\n")
    writer.writerow(" ".join(word for word in (one.heading, one.note) if word) for one in table.columns)
    writer.writerows([_content(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def records_table(title: str, records: Sequence[Mapping[str, Any]]) -> Table:
    """Return records with the same keys as a table with one column per key; None is an empty cell."""
    columns = tuple(Column(key) for key in records[0])
    rows = tuple(tuple(Cell("" if v is None else str(v), v) for v in record.values()) for record in records)
    return Table(title, columns, rows)


def _content(cell: Cell) -> float | str:
    if isinstance(cell.value, bool):
        return str(cell.value).lower()
    if cell.value is None:
        return "" if cell.text == "-" else cell.text
    return cell.value
