"""Checks that every reader makes of its interactions."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmrec.data.schema import INTERACTION_COLUMNS, Rejected

LATEST = 4_102_444_800  # 2100-01-01 in seconds: a later time is milliseconds taken for seconds, or nonsense


def check_events(table: pl.DataFrame, file: Path) -> tuple[pl.DataFrame, dict[str, Rejected]]:
    """Split rows into good ones and counted bad ones.

    Args:
        table: strings user, item, timestamp (seconds) and rating, and `line`, the line number of each row in the file;
            where the format can tell, `surplus`, what stands after the last field.
        file: for the messages.

    Returns:
        the good rows with `INTERACTION_COLUMNS`, in order, and the bad ones by kind. A blank rating is unknown, a
        malformed one is bad.
    """
    time = pl.col("timestamp").cast(pl.Int64, strict=False)
    rating = pl.col("rating").cast(pl.Float32, strict=False)
    rated = pl.col("rating").str.strip_chars() != ""
    surplus = pl.col("surplus").is_not_null() if "surplus" in table.columns else pl.lit(False)
    reasons = (
        pl.when(surplus)
        .then(pl.lit("too many fields"))
        .when(_blank("user"))
        .then(pl.lit("missing user"))
        .when(_blank("item"))
        .then(pl.lit("missing item"))
        .when(time.is_null() | (time <= 0) | (time > LATEST))
        .then(pl.lit("impossible timestamp"))
        .when(rated.fill_null(False) & (rating.is_null() | ~rating.is_finite()))
        .then(pl.lit("malformed rating"))
    )
    table = table.with_columns(reason=reasons)
    ids = (pl.col(column).str.strip_chars() for column in ("user", "item"))
    good = table.filter(pl.col("reason").is_null()).select(*ids, timestamp=time, rating=rating)
    bad = table.filter(pl.col("reason").is_not_null()).group_by("reason", maintain_order=True)
    rejected = {
        reason: Rejected(count, f"{file}:{line}")
        for reason, count, line in bad.agg(pl.len().alias("count"), pl.col("line").first()).iter_rows()
    }
    return good.select(*INTERACTION_COLUMNS), rejected


def merge_rejected(*parts: dict[str, Rejected]) -> dict[str, Rejected]:
    """Add up the rejected rows of several files; the first place is that of the first file."""
    merged: dict[str, Rejected] = {}
    for part in parts:
        for kind, entry in part.items():
            before = merged.get(kind)
            merged[kind] = entry if before is None else Rejected(before.count + entry.count, before.first)
    return merged


def find_images(folder: Path) -> dict[str, str]:
    """Return the image file of each item id, `<id>.jpg`, `.jpeg`, `.png` or `.webp`; empty if there is no folder."""
    if not folder.is_dir():
        return {}
    endings = {".jpg", ".jpeg", ".png", ".webp"}
    return {path.stem: str(path.absolute()) for path in sorted(folder.iterdir()) if path.suffix.lower() in endings}


def _blank(column: str) -> pl.Expr:
    return pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")
