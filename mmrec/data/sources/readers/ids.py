"""Ids of users and items as text, from values of any type, in one spelling."""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal

import polars as pl

from mmrec.errors import UserError

UNUSABLE = "\ufffd"
"""Text in place of a value that cannot be an id; `check_events` counts it as malformed."""
EXACT = 2**53  # floats from here on may have lost digits of a whole number
PLACEHOLDERS = frozenset({"null", "none", "nan", "<na>", r"\n"})
"""What databases and data frames write for a missing value, in lower case."""
MALFORMED = r"[\x00-\x1f\x7f\uFFFD]"  # a line break is an unclosed quotation mark, U+FFFD was not UTF-8
INVISIBLE = "[\u200b\u2060\ufeff]"
SPACES = "[\u00a0\u2007\u202f]"
BLANKS = " \t"  # around an id; a line break is not part of one


def id_of(value: object) -> str | None:
    """Return an id as text: strings as they are, whole numbers in decimals (7 and 7.0 are "7"); None where missing.

    Booleans, other floats and lists are `UNUSABLE`.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value if value.isascii() or is_unicode(value) else UNUSABLE
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
        column: its name in a frame.
        dtype: its type.
        place: "file: column 'name'", for the message.

    Raises:
        UserError: values of this type cannot be ids.
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
    raise UserError(f"{place} holds {dtype} values, which cannot be ids: name a column of text or whole numbers")


def one_spelling(text: str) -> str:
    """Return an id in NFC, with plain spaces, and without blanks around it and invisible characters."""
    text = re.sub(INVISIBLE, "", re.sub(SPACES, " ", text)) if not text.isascii() else text
    return unicodedata.normalize("NFC", text).strip(BLANKS)


def spelled_alike(ids: pl.Expr) -> pl.Expr:
    """Return `one_spelling` of a column of strings."""
    return ids.str.replace_all(SPACES, " ").str.replace_all(INVISIBLE, "").str.normalize("NFC").str.strip_chars(BLANKS)


def is_placeholder(ids: pl.Expr) -> pl.Expr:
    """Return whether each id is a word for a missing value, such as NULL."""
    return ids.str.to_lowercase().is_in(list(PLACEHOLDERS))


def is_unicode(text: str) -> bool:
    """Return whether a string of JSON is free of halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
