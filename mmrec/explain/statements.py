"""Statements: the atomic facts that an explanation may be made of (paper, section 3.5.1).

Each statement is true by construction, because it is read from the catalogue, from the user's history or from the
model, and it names its source. Explanations are composed of statements (`mmrec.explain.writing.grounded`) or checked
against them (`mmrec.explain.writing.free`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a statement is about; the value in quotes is what files hold."""

    SHARED = "shared"
    """The item has a fact in common with items of the history."""
    ATTRIBUTE = "attribute"
    """The item has a fact."""
    HISTORY = "history"
    """The user has an item."""
    NEIGHBOUR = "neighbour"
    """Retrieval (eq. 5) holds the item to be close to an item of the history."""
    INFLUENCE = "influence"
    """The item's score falls most when this item is removed from the history."""
    SHARED_IMAGE = "shared image"
    """The item's image has a theme in common with images of the history."""
    IMAGE = "image"
    """The item's image has a theme."""
    KEYWORD = "keyword"
    """The item's text has a word in common with texts of the history."""
    SIGNAL = "signal"
    """The model weighs recent against long-term interest, or text against image, in this way."""


@dataclass(frozen=True)
class Statement:
    """One atomic fact.

    Args:
        id: short name that is unique in one explanation, such as `s3`. The most telling statement is `s1`.
        kind: what the statement is about.
        text: the statement as one plain English sentence.
        name: name of the fact in the catalogue, such as `colour_group_name`; empty for statements without a fact.
        value: value of the fact, the theme or the word; empty for statements without one.
        titles: titles of the history items it speaks of, newest first.
        count: number of history items it speaks of; `titles` may hold fewer.
        telling: how much the statement tells, see `rank_statements`; at least 0.
    """

    id: str
    kind: Kind
    text: str
    name: str = ""
    value: str = ""
    titles: tuple[str, ...] = ()
    count: int = 0
    telling: float = 0.0
