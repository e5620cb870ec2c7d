"""What every reader does with its interactions: check each row, and keep the good ones small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
from polars.expr.whenthen import ChainedThen, Then

from mmrec.data.schema import INTERACTION_COLUMNS, Rejected

EARLIEST = 100_000_000  # 1973-03-03 in seconds: nobody clicked before; a year, or a time that was cut off, is smaller
LATEST = 4_102_444_800  # 2100-01-01 in seconds: a later time is milliseconds taken for seconds, or nonsense
BLANK = "blank line"
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
FAULTS = pl.Enum(
    [
        *(BLANK, "too many fields", "missing user", "missing item", "malformed user", "malformed item"),
        *("impossible timestamp", "malformed rating", "malformed weight"),
    ]
)
"""What can be wrong with a row, worst first: the first that holds is counted. Blank lines are no rows and not bad."""
BLANKS = " \t"  # around an id; a line break is no part of one
MALFORMED_ID = r"[\x00-\x1f\x7f\uFFFD]"  # a line break is an unclosed quotation mark, U+FFFD was not UTF-8


def check_events(rows: pl.LazyFrame, place: Callable[[int], str]) -> tuple[pl.DataFrame, int, dict[str, Rejected]]:
    """Read rows and split them into good ones and counted bad ones, in one pass and some 20 bytes a row.

    Args:
        rows: in file order, user and item (String), timestamp (Int64 seconds, null where unreadable); if known, rating
            and weight (String or numbers, blank or null where unknown), and `surplus`, what stands after the last
            field.
        place: where a row (counted from 0) stands, "file:line".

    Returns:
        the good rows in order, with those of `INTERACTION_COLUMNS` that `rows` has; how many rows there were, blank
        lines not counted; and the bad ones by kind. An unknown rating is good, a malformed one is bad.

    Raises:
        polars.exceptions.PolarsError: the file cannot be read, see `_csv.explain`.
    """
    names = rows.collect_schema().names()
    numbers = [name for name in ("rating", "weight") if name in names]
    time = pl.col("timestamp")
    values = {name: pl.col(name).cast(pl.Float32, strict=False) for name in numbers}
    blank = pl.all_horizontal(pl.col(name).is_null() for name in names)
    fault: Then | ChainedThen = pl.when(blank).then(_fault(BLANK))
    if "surplus" in names:
        fault = fault.when(pl.col("surplus").is_not_null()).then(_fault("too many fields"))
    for name in ("user", "item"):
        missing = pl.col(name).is_null() | (pl.col(name).str.strip_chars() == "")
        fault = fault.when(missing).then(_fault(f"missing {name}"))
    fault = fault.when(time.is_null() | (time <= 0) | (time > LATEST)).then(_fault("impossible timestamp"))
    for name, value in values.items():
        given = pl.col(name).cast(pl.String).str.strip_chars() != ""
        malformed = given.fill_null(False) & (value.is_null() | ~value.is_finite())
        fault = fault.when(malformed).then(_fault(f"malformed {name}"))
    ids = (pl.col(name).cast(pl.Categorical) for name in ("user", "item"))
    table = rows.select(*ids, time, **values, fault=fault).collect(engine="streaming")
    for name in ("user", "item"):
        table = _check_ids(table, name)
    bad = table.with_row_index().filter(pl.col("fault").is_not_null()).group_by("fault")
    found = {kind: (count, row) for kind, count, row in bad.agg(pl.len(), pl.col("index").first()).iter_rows()}
    blanks = found.pop(BLANK, (0, 0))[0]
    rejected = {kind: Rejected(*found[kind][:1], place(found[kind][1])) for kind in FAULTS.categories if kind in found}
    columns = [name for name in INTERACTION_COLUMNS if name in table.columns]
    good = (
        table.select(columns) if not found and not blanks else table.filter(pl.col("fault").is_null()).select(columns)
    )
    return good, table.height - blanks, rejected


def find_images(folder: Path | None) -> dict[str, str]:
    """Return the image file of each item id, named `<id>` and an ending of `IMAGES`; empty if there is no folder."""
    if folder is None or not folder.is_dir():
        return {}
    return {path.stem: str(path.absolute()) for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGES}


def _fault(kind: str) -> pl.Expr:
    return pl.lit(kind, dtype=FAULTS)


def _check_ids(table: pl.DataFrame, column: str) -> pl.DataFrame:
    """Strip the ids and mark those with control characters: of each distinct id once, not of each row."""
    ids = table[column].unique().drop_nulls()
    texts = ids.cast(pl.String)
    bare = texts.str.strip_chars(BLANKS)
    malformed = ids.filter(bare.str.contains(MALFORMED_ID))
    if len(malformed):
        found = pl.col("fault").is_null() & pl.col(column).is_in(malformed.implode())
        table = table.with_columns(fault=pl.when(found).then(_fault(f"malformed {column}")).otherwise("fault"))
    if (bare != texts).any():
        stripped = pl.col(column).cast(pl.String).str.strip_chars(BLANKS).cast(pl.Categorical)
        table = table.with_columns(stripped)
    return table
