"""Conversion of single values and whole columns of any type to texts and numbers."""

from __future__ import annotations

import polars as pl

from mmrec.data.sources.readers.ids import EXACT, UNUSABLE, id_of, is_unicode
from mmrec.errors import UserError


def number_column(column: str, dtype: pl.DataType, place: str, decimal: str, points: bool) -> pl.Expr:
    """Return a column of numbers, or of text with numbers, for `check_events`; NaN becomes null, booleans text.

    Args:
        column: its name in a frame.
        dtype: its type.
        place: "file: column 'name'", for the message.
        decimal: the decimal mark of numbers in text.
        points: whether a point is a decimal mark too; otherwise a text that has one and another mark is `UNUSABLE`, for
            the point separates thousands.

    Raises:
        UserError: values of this type are not numbers.
    """
    value = pl.col(column)
    if dtype.is_float():
        return value.fill_nan(None)
    if isinstance(dtype, pl.String):
        if decimal == ".":
            return value
        number = value.str.replace(decimal, ".", literal=True)
        grouped = pl.lit(not points) & value.str.contains(".", literal=True)
        return pl.when(grouped).then(pl.lit(UNUSABLE)).otherwise(number)
    if dtype.is_numeric():
        return value
    if isinstance(dtype, pl.Boolean | pl.Categorical | pl.Enum | pl.Null):
        return value.cast(pl.String)
    raise UserError(f"{place} holds {dtype} values, which are not numbers: name another column")


def texts_of(value: object) -> list[str]:
    """Return the texts in a value that are not blank: one, or those of a list; of a structure each with its name."""
    if isinstance(value, str):
        text = value.strip()
        if not text.isascii() and not is_unicode(text):
            text = text.encode(errors="replace").decode()
        return [text] if text else []
    if value is None or value != value:  # NaN is unequal to itself
        return []
    if isinstance(value, dict):
        return [f"{name}: {text}" for name, inner in value.items() for text in texts_of(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts_of(inner)]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        value = int(value)  # 1995.0 is how a year comes out of a column with gaps
    return texts_of(value.decode(errors="replace")) if isinstance(value, bytes) else [str(value)]


def written(value: object) -> str | None:
    """Return a time or a number as text, as it is written; None where missing."""
    if isinstance(value, str):
        return id_of(value)
    return None if value is None or value != value else str(value)  # NaN is unequal to itself
