"""The checks that every reader makes of its interactions; good rows are kept in a few bytes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.expr.whenthen import ChainedThen, Then

from mmrec.data.schema import INTERACTION_COLUMNS, Note, Rejected
from mmrec.data.sources.readers.csv import SURPLUS
from mmrec.data.sources.readers.ids import BLANKS, MALFORMED, is_placeholder, spelled_alike

EARLIEST = 100_000_000  # 1973-03-03 in seconds: nobody clicked before; a year, or a time that was cut off, is smaller
LATEST = 4_102_444_800  # 2100-01-01 in seconds: a later time is milliseconds taken for seconds, or nonsense
BLANK = "blank line"
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
VALUE_OF = {
    "too many fields": SURPLUS,
    "placeholder user id": "user",
    "placeholder item id": "item",
    "malformed user": "user",
    "malformed item": "item",
    "impossible timestamp": "time",
    "malformed rating": "rating",
    "malformed weight": "weight",
}
"""By kind of fault, the column whose value is shown."""
FAULTS = pl.Enum(
    [
        *(BLANK, "too many fields", "missing user", "missing item", "placeholder user id", "placeholder item id"),
        *("malformed user", "malformed item", "impossible timestamp", "malformed rating", "malformed weight"),
    ]
)
"""Kinds of bad rows, worst first: of several faults the first is counted. Blank lines are not counted as rows."""


@dataclass(frozen=True)
class Events:
    """Checked interactions.

    Args:
        rows: the good ones in order, with those of `INTERACTION_COLUMNS` that are known.
        count: number of rows, good or bad, blank lines not counted.
        rejected: the bad ones by kind.
        notes: ids whose spelling was changed, by kind.
    """

    rows: pl.DataFrame
    count: int
    rejected: dict[str, Rejected]
    notes: dict[str, Note]


def check_events(
    rows: pl.LazyFrame, place: Callable[[int], str], written: pl.LazyFrame | None = None, timed: bool = True
) -> Events:
    """Split rows into good ones and counted bad ones, in one pass and some 20 bytes per row.

    Args:
        rows: the columns user and item (String), timestamp (Int64, null where unreadable), in file order; where known,
            fraction (Int32 nanoseconds), rating and weight (String or numbers, blank or null where unknown), and
            `SURPLUS`, the text after the last field. An unknown rating is good, a malformed one is bad.
        place: returns "file:line" of a row (counted from 0).
        written: the same rows as the file has them, in those of the columns user, item, time, rating and weight that
            it has; examples of bad values are taken from it. `rows` if None.
        timed: whether timestamps are times in seconds; positions from 0 if false.

    Raises:
        polars.exceptions.PolarsError: the file cannot be read, see `CsvFile.reading`.
    """
    names = rows.collect_schema().names()
    numbers = [name for name in ("rating", "weight") if name in names]
    time = pl.col("timestamp")
    values = {name: pl.col(name).cast(pl.Float32, strict=False) for name in numbers}
    derived = {"fraction"} if timed else {"fraction", "timestamp"}
    blank = pl.all_horizontal(pl.col(name).is_null() for name in names if name not in derived)
    fault: Then | ChainedThen = pl.when(blank).then(_fault(BLANK))
    if SURPLUS in names:
        fault = fault.when(pl.col(SURPLUS).is_not_null()).then(_fault("too many fields"))
    for name in ("user", "item"):
        missing = pl.col(name).is_null() | (pl.col(name).str.strip_chars() == "")
        fault = fault.when(missing).then(_fault(f"missing {name}"))
    impossible = time.is_null() | ((time <= 0) | (time > LATEST) if timed else time < 0)
    fault = fault.when(impossible).then(_fault("impossible timestamp"))
    for name, value in values.items():
        given = pl.col(name).cast(pl.String).str.strip_chars() != ""
        malformed = given.fill_null(False) & (value.is_null() | ~value.is_finite())
        fault = fault.when(malformed).then(_fault(f"malformed {name}"))
    ids = (pl.col(name).cast(pl.Categorical) for name in ("user", "item"))
    fraction = {"fraction": pl.col("fraction")} if "fraction" in names else {}
    table = rows.select(*ids, time, **values, **fraction, fault=fault).collect(engine="streaming")
    if fraction and not (table["fraction"] != 0).any():
        table = table.drop("fraction")
    notes: dict[str, Note] = {}
    for name in ("user", "item"):
        table, changed = _check_ids(table, name)
        notes |= changed
    bad = table.with_row_index().filter(pl.col("fault").is_not_null()).group_by("fault")
    found = {kind: (count, row) for kind, count, row in bad.agg(pl.len(), pl.col("index").first()).iter_rows()}
    blanks = found.pop(BLANK, (0, 0))[0]
    rejected = {
        kind: Rejected(found[kind][0], place(found[kind][1]), _value(rows if written is None else written, kind, found))
        for kind in FAULTS.categories
        if kind in found
    }
    columns = [name for name in INTERACTION_COLUMNS if name in table.columns]
    good = table if not found and not blanks else table.filter(pl.col("fault").is_null())
    return Events(good.select(columns), table.height - blanks, rejected, notes)


def find_images(folder: Path | None) -> dict[str, str]:
    """Return the image file of each item id, named `<id>` and an ending of `IMAGES`; empty without a folder."""
    if folder is None or not folder.is_dir():
        return {}
    return {path.stem: str(path.absolute()) for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGES}


def _fault(kind: str) -> pl.Expr:
    return pl.lit(kind, dtype=FAULTS)


def _value(written: pl.LazyFrame, kind: str, found: dict[str, tuple[int, int]]) -> str | None:
    """Return the value of the first bad row of a kind, for the message."""
    column = VALUE_OF.get(kind)
    if column is None or column not in written.collect_schema().names():
        return None
    value = written.select(pl.col(column).cast(pl.String, strict=False)).slice(found[kind][1], 1).collect()
    return None if not value.height or value.item() is None else str(value.item())[:60]


def _check_ids(table: pl.DataFrame, column: str) -> tuple[pl.DataFrame, dict[str, Note]]:
    """Bring the ids into one spelling and mark those that cannot be ids: once per distinct id, not per row."""
    ids = pl.DataFrame({"id": table[column].unique(maintain_order=True).drop_nulls()})
    ids = ids.with_columns(text=pl.col("id").cast(pl.String)).with_columns(alike=spelled_alike(pl.col("text")))
    for kind, wrong in (
        (f"missing {column}", pl.col("alike") == ""),
        (f"malformed {column}", pl.col("alike").str.contains(MALFORMED)),
        (f"placeholder {column} id", is_placeholder(pl.col("alike"))),
    ):
        bad = ids.filter(wrong)["id"]
        if len(bad):
            found = pl.col("fault").is_null() & pl.col(column).is_in(bad.implode())
            table = table.with_columns(fault=pl.when(found).then(_fault(kind)).otherwise("fault"))
    changed = ids.filter(pl.col("alike") != pl.col("text"))
    if not changed.height:
        return table, {}
    unusual = changed.filter(pl.col("text").str.strip_chars(BLANKS) != pl.col("alike"))
    notes = {}
    if unusual.height:
        rows = int(table[column].is_in(unusual["id"].implode()).sum())
        example = f"{unusual['text'][0]!a} is read as {unusual['alike'][0]!a}"
        notes[f"{column} ids with invisible characters, in one spelling"] = Note(rows, example)
    texts = table[column].cast(pl.String)
    alike = texts.replace(changed["text"], changed["alike"]).cast(pl.Categorical)
    return table.with_columns(alike.alias(column)), notes
