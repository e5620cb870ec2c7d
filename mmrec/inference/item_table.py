"""The items of a catalogue as a table of their facts, and the search for values in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_

import polars as pl

BETWEEN = ", "
"""What stands between the values of an attribute in text."""


def values_of(attribute: object) -> list[str]:
    """Return the values of an attribute, which is one value or a list of them."""
    return [str(value) for value in attribute] if isinstance(attribute, list) else [str(attribute)]


def shown(attribute: object) -> str:
    """Return an attribute as text, several values with commas between them."""
    return BETWEEN.join(values_of(attribute))


def read_facts(table: pl.DataFrame) -> pl.DataFrame:
    """Return the columns item (raw id), title, text and one per attribute, null where unknown.

    A column holds texts, or lists of them if an item has several values. The column of an attribute that is called like
    one of the first three is its name with "attribute " before it.

    Args:
        table: columns raw_id, title, text and attributes, as in `items.parquet`.
    """
    attributes = [json.loads(text) if text else {} for text in table["attributes"]]
    names = dict.fromkeys(name for facts in attributes for name in facts)
    taken = ("item", "title", "text")
    return table.select(pl.col("raw_id").alias("item"), "title", "text").with_columns(
        _column(f"attribute {name}" if name in taken else name, [facts.get(name) for facts in attributes])
        for name in names
    )


def as_text(facts: pl.DataFrame) -> pl.DataFrame:
    """Return the facts with all columns as text."""
    return facts.with_columns(pl.col(pl.List(pl.String)).list.join(BETWEEN))


def have_values(facts: pl.DataFrame, items: pl.DataFrame, where: Mapping[str, Sequence[str]]) -> pl.Series:
    """Return which items have one of some values in each of some columns; null where a column is null.

    Of several values of an item, each counts for itself, and all together as `shown` writes them.

    Args:
        facts: what `read_facts` returns.
        items: the same `as_text`.
        where: the values by the name of the column, at least one column.
    """
    return reduce(
        and_, (_has(facts[name], items[name], pl.Series(values, dtype=pl.String)) for name, values in where.items())
    )


def _column(name: str, attributes: Sequence[object]) -> pl.Series:
    if any(isinstance(attribute, list) for attribute in attributes):
        several = [None if attribute is None else values_of(attribute) for attribute in attributes]
        return pl.Series(name, several, dtype=pl.List(pl.String))
    return pl.Series(name, [None if one is None else shown(one) for one in attributes], dtype=pl.String)


def _has(facts: pl.Series, texts: pl.Series, values: pl.Series) -> pl.Series:
    fits = texts.is_in(values.implode())
    if facts.dtype == pl.List:
        fits |= facts.list.eval(pl.element().is_in(values.implode())).list.any()
    return fits
