"""Interactions of the tabular source: the rows of some tables, by a mapping of columns, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from mmrec.data.schema import Note, merge_notes, merge_rejected
from mmrec.data.sources.readers.csv import SURPLUS
from mmrec.data.sources.readers.events import Events, check_events
from mmrec.data.sources.readers.ids import id_column
from mmrec.data.sources.tabular.tables import BEYOND, FILLED, Rows, Table, TableFormat
from mmrec.data.sources.tabular.template import Template
from mmrec.data.sources.tabular.times import MINORITY, SAMPLE, Times, check_unit, is_typed, parse_times, tell_unit
from mmrec.data.sources.tabular.values import number_column
from mmrec.errors import InvalidArgument, UserError, require

Order = Literal["time", "position", "file"]


@dataclass(frozen=True, kw_only=True)
class EventColumns:
    """Which columns make an interaction, see `Tabular`."""

    user: str
    item: str
    time: str | None = None
    rating: str | None = None
    weight: str | None = None
    order: Order = "time"
    time_unit: str = "auto"
    leave_out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(self.order in get_args(Order), "order", repr(self.order), "time, position or file")
        check_unit(self.time_unit)
        if (self.time is None) != (self.order == "file"):
            words = (
                "names no column: set it, or order to file where the rows of a user are in order and have no times"
                if self.time is None
                else "has no use where order is file: set it to null"
            )
            raise InvalidArgument("time", f"time {words}")
        _ = self.ids  # raises for a malformed pattern

    @property
    def ids(self) -> dict[str, Template]:
        """The patterns of the ids."""
        return {"user": Template.parse(self.user, "user"), "item": Template.parse(self.item, "item")}

    @property
    def others(self) -> dict[str, str]:
        """The other columns by option."""
        columns = {"time": self.time, "rating": self.rating, "weight": self.weight}
        return {option: column for option, column in columns.items() if column is not None}

    def columns(self) -> dict[str, list[str]]:
        """Return the columns by the option that names them."""
        of_ids = {option: list(pattern.columns) for option, pattern in self.ids.items()}
        of_others = {option: [column] for option, column in self.others.items()}
        return of_ids | of_others | ({"leave_out": list(self.leave_out)} if self.leave_out else {})

    def options(self) -> dict[str, object]:
        """Return all options by name; an empty `leave_out` is omitted, so that fingerprints stay the same."""
        options = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in options.items() if name != "leave_out" or value}

    def left_out(self, schema: pl.Schema, path: Path) -> dict[str, pl.Expr]:
        """Return by the value that is named which rows are left out; numbers are written as those of ids.

        Args:
            schema: types of the columns.
            path: file of the table, for messages.
        """
        found: dict[str, pl.Expr] = {}
        for column, values in self.leave_out.items():
            text = id_column(column, schema[column], f"{path}: column {column!r}").str.strip_chars()
            found |= {f"{column} is {value}": (text == value).fill_null(False) for value in values}
        return found


def read_events(tables: Sequence[Table], columns: EventColumns, format: TableFormat) -> Events:
    """Read interactions as if the tables were one.

    Args:
        tables: at least one; they have the columns.
        columns: which columns make an interaction.
        format: how separated values are written.

    Raises:
        UserError: a file cannot be read, a column has values of a wrong type, or times are written in several ways.
    """
    auto = columns.order == "time" and columns.time_unit == "auto"
    starts = list(_first_times(tables, columns.time)) if auto and columns.time is not None else []
    unit = (tell_unit(starts) or "iso") if auto else columns.time_unit
    frames, rejected, notes, total = [], [], [], 0
    for place, table in enumerate(tables):
        ids = dict.fromkeys(column for pattern in columns.ids.values() for column in pattern.columns)
        rows = table.rows(ids, [*columns.others.values(), *columns.leave_out])
        with table.reading():
            selected, written = _select(table, rows, columns, unit, auto, format.decimal, place << 40)
            events = check_events(selected, rows.place, written, timed=columns.order == "time")
            left_out = _count_left_out(table, rows, columns)
        impossible = events.rejected.get("impossible timestamp")
        if impossible is not None and impossible.count > MINORITY * events.count and columns.time is not None:
            _explain_times(table, rows, columns.time, starts, auto)
        frames.append(events.rows)
        total += events.count + sum(entry.count for entry in rows.rejected.values())
        rejected += [rows.rejected, events.rejected]
        notes += [events.notes, left_out]
    if any("fraction" in frame.columns for frame in frames):
        frames = [
            frame if "fraction" in frame.columns else frame.with_columns(fraction=pl.lit(0, pl.Int32))
            for frame in frames
        ]
    return Events(pl.concat(frames), total, merge_rejected(*rejected), merge_notes(*notes))


def _count_left_out(table: Table, rows: Rows, columns: EventColumns) -> dict[str, Note]:
    """Return how many rows have each value that is left out; 0 shows a value that is misspelt."""
    if not columns.leave_out:
        return {}
    found = columns.left_out(rows.frame.collect_schema(), table.path)
    counts = rows.frame.select(value.sum().alias(words) for words, value in found.items()).collect().row(0, named=True)
    return {f"interactions left out where {words}": Note(count, table.path.name) for words, count in counts.items()}


def _first_times(tables: Sequence[Table], column: str) -> Iterator[Times]:
    """Yield the first times of each table that needs a unit."""
    for table in tables:
        values, place = table.first(column, SAMPLE)
        if not is_typed(values.schema[column], f"{table.path}: column {column!r}"):
            yield Times(values, place)


def _explain_times(table: Table, rows: Rows, column: str, starts: list[Times], auto: bool) -> None:
    """Raise a UserError if the times of a table, many of which are impossible, are positions or in another unit."""
    with table.reading():
        times = rows.frame.select(column).collect()
    counts = times.to_series().cast(pl.String).str.strip_chars().drop_nulls()
    if auto and len(counts) and counts.str.contains(r"^[0-9]{1,6}$").all():
        first = counts[0]
        raise UserError(
            f"{table.path}: column {column!r} holds small numbers such as {first!r}, which are not times: set order to "
            "position if they count a user's interactions"
        )
    if auto:
        tell_unit([*starts, Times(times, rows.place)])


def _select(
    table: Table, rows: Rows, columns: EventColumns, unit: str, guarded: bool, decimal: str, first: int
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return the rows for `check_events`, numbered from `first` if they have no times, and their values as written."""
    frame = rows.frame
    schema = frame.collect_schema()

    def place(column: str) -> str:
        return f"{table.path}: column {column!r}"

    ids = {
        option: pattern.fill_columns(
            {column: id_column(column, schema[column], place(column)) for column in pattern.columns}
        )
        for option, pattern in columns.ids.items()
    }
    numbers = {
        option: number_column(column, schema[column], place(column), decimal, points=table.has_decimal_points)
        for option, column in columns.others.items()
        if option != "time"
    }
    if columns.time is None:
        times = {"timestamp": pl.int_range(first, first + pl.len(), dtype=pl.Int64)}
    elif columns.order == "position":
        is_typed(schema[columns.time], place(columns.time))
        position = pl.col(columns.time).cast(pl.String).str.strip_chars().str.strip_suffix(".0")
        times = {"timestamp": position.cast(pl.Int64, strict=False)}
    else:
        times = parse_times(columns.time, schema[columns.time], unit, guarded)
    surplus = {SURPLUS: pl.col(BEYOND)} if BEYOND in schema else {}
    # A row that holds something but lacks all of these columns is bad; it is not a blank line.
    user = pl.when(ids["user"].is_null() & pl.col(FILLED)).then(pl.lit("")).otherwise(ids["user"])
    values = {"user": user, "item": ids["item"], **times, **numbers, **surplus}
    if columns.leave_out:  # such a row counts as a blank line
        kept = ~pl.any_horizontal(columns.left_out(schema, table.path).values())
        places = ("timestamp",) if columns.time is None else ()
        values = {name: value if name in places else pl.when(kept).then(value) for name, value in values.items()}
    selected = frame.select(**values)
    written = frame.select(**ids, **{option: pl.col(column) for option, column in columns.others.items()}, **surplus)
    return selected, written
