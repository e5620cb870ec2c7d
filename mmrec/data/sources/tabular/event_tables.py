"""Interactions of the tabular source: the rows of some tables, by a mapping of columns, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from mmrec.data.schema import Rejected, merge_rejected
from mmrec.data.sources.readers.csv import SURPLUS
from mmrec.data.sources.readers.events import check_events
from mmrec.data.sources.tabular.tables import BEYOND, FILLED, Dialect, Table, open_table, read_first, reading
from mmrec.data.sources.tabular.times import MINORITY, SAMPLE, Times, is_typed, seconds, tell_unit
from mmrec.data.sources.tabular.values import id_column, number_column


def read_events(
    files: Sequence[Path], columns: Mapping[str, str], time_unit: str, dialect: Dialect
) -> tuple[pl.DataFrame, int, dict[str, Rejected]]:
    """Read interactions as if the files were one.

    Args:
        files: tables that have the columns, at least one.
        columns: those of user, item and time, and if known of rating and weight.
        time_unit: see `Tabular`.
        dialect: of separated values.

    Returns:
        as `check_events`.

    Raises:
        UserError: a file cannot be read, a column holds what it cannot hold, or times are written in several ways.
    """
    starts = [start for file in files if (start := _first_times(file, columns["time"], dialect)) is not None]
    unit = (tell_unit(starts) or "iso") if time_unit == "auto" else time_unit
    tables, total, parts = [], 0, []
    for file in files:
        others = [column for name, column in columns.items() if name not in ("user", "item")]
        table = open_table(file, (columns["user"], columns["item"]), others, dialect)
        with reading(file, dialect):
            rows = _select(file, table, columns, unit, guarded=time_unit == "auto")
            events, count, rejected = check_events(rows, table.place)
        impossible = rejected.get("impossible timestamp")
        if time_unit == "auto" and impossible is not None and impossible.count > MINORITY * count:
            with reading(file, dialect):
                times = table.rows.select(columns["time"]).collect()
            tell_unit([*starts, Times(times, table.place)])
        tables.append(events)
        total += count + sum(entry.count for entry in table.rejected.values())
        parts += [table.rejected, rejected]
    return pl.concat(tables), total, merge_rejected(*parts)


def _first_times(file: Path, column: str, dialect: Dialect) -> Times | None:
    """Return the first times of a file; None of one that needs no unit."""
    values, place = read_first(file, column, SAMPLE, dialect)
    return None if is_typed(values.schema[column], _place(file, column)) else Times(values, place)


def _select(file: Path, table: Table, columns: Mapping[str, str], unit: str, guarded: bool) -> pl.LazyFrame:
    """Return the rows that `check_events` takes."""
    schema = table.rows.collect_schema()

    def of(name: str) -> tuple[str, pl.DataType, str]:
        return columns[name], schema[columns[name]], _place(file, columns[name])

    user = id_column(*of("user"))
    numbers = {name: number_column(*of(name)) for name in ("rating", "weight") if name in columns}
    return table.rows.select(
        # A row that is not blank but lacks all of these columns is a bad one, and no blank line.
        user=pl.when(user.is_null() & pl.col(FILLED)).then(pl.lit("")).otherwise(user),
        item=id_column(*of("item")),
        timestamp=seconds(*of("time")[:2], unit, guarded),
        **numbers,
        **({SURPLUS: pl.col(BEYOND)} if BEYOND in schema else {}),
    )


def _place(file: Path, column: str) -> str:
    return f"{file}: column {column!r}"
