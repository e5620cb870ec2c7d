"""Ids, numbers and texts of whatever type a table holds them in, from single values and from whole columns."""

from __future__ import annotations

import math
from decimal import Decimal

import polars as pl

from mmrec.errors import UserError

UNUSABLE = "\ufffd"
"""Stands for a value that is no id; `check_events` counts it as malformed."""
EXACT = 2**53  # whole numbers beyond it may have lost digits as a float


def id_of(value: object) -> str | None:
    """Return an id as text: strings as they are, whole numbers in decimals (7 and 7.0 are "7"); None where missing.

    Booleans, other floats and lists are `UNUSABLE`.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value if value.isascii() or _is_unicode(value) else UNUSABLE
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value)) if isinstance(value, Decimal) or abs(value) < EXACT else UNUSABLE
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return UNUSABLE


def id_column(column: str, dtype: pl.DataType, place: str) -> pl.Expr:
    """Return `id_of` of a column.

    Args:
        column: of a frame.
        dtype: of that column.
        place: "file: column 'name'", for the message.

    Raises:
        UserError: values of this type are no ids.
    """
    value = pl.col(column)
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null) or dtype.is_integer():
        return value.cast(pl.String)
    if dtype.is_float():
        whole = (value == value.floor()) & (value.abs() < EXACT)
        text = pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(pl.lit(UNUSABLE))
        return pl.when(value.is_not_nan()).then(text)
    if dtype.is_decimal():
        text = value.cast(pl.String).str.replace(r"\.0+$", "")
        return pl.when(text.str.contains(".", literal=True)).then(pl.lit(UNUSABLE)).otherwise(text)
    if isinstance(dtype, pl.Binary):
        text = value.cast(pl.String, strict=False)
        return pl.when(value.is_not_null()).then(text.fill_null(UNUSABLE))
    raise UserError(f"{place} holds {dtype} values, which are no ids: name a column of text or whole numbers")


def number_column(column: str, dtype: pl.DataType, place: str) -> pl.Expr:
    """Return a column of numbers, or of text with numbers, for `check_events`; NaN becomes null, booleans text.

    Raises:
        UserError: values of this type are no numbers.
    """
    value = pl.col(column)
    if dtype.is_float():
        return value.fill_nan(None)
    if dtype.is_numeric() or isinstance(dtype, pl.String):
        return value
    if isinstance(dtype, pl.Boolean | pl.Categorical | pl.Enum | pl.Null):
        return value.cast(pl.String)
    raise UserError(f"{place} holds {dtype} values, which are no numbers: name another column")


def texts_of(value: object) -> list[str]:
    """Return the texts in a value that are not blank: one, or those of a list; of a structure each with its name."""
    if isinstance(value, str):
        text = value.strip()
        if not text.isascii() and not _is_unicode(text):
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


def _is_unicode(text: str) -> bool:
    """Whether a string of JSON is free of halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
