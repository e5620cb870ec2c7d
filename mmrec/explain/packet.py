"""The evidence packet: everything an explanation may say about one recommendation (paper, section 3.5.1)."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmrec.batch import PAD
from mmrec.explain.knowledge import Facts, Knowledge

MAX_CHARS = 200
"""Longest string of a packet; a catalogue title can run to thousands of characters and would crowd out the rest."""
MAX_FACTS = 16
MAX_VALUES = 8


@dataclass(frozen=True)
class Recommendation:
    """One recommended item, as the model hands it over. Items are indices into `items.parquet`.

    Args:
        user: raw user id.
        item: the recommended item.
        rank: its place in the user's list, from 1.
        score: the model's score of it (finite).
        history: items of the user, oldest first; only periods that the caller may show (never the test period).
        neighbours: those history items among whose retrieved neighbours the recommended item is; may be empty.
        signals: finite numbers the model decided with, say `{"alpha": 0.6, "gate": 0.4}`.
        interest: (D,) u, the user's vector, if the model has one.

    Raises:
        ValueError: if the score or a signal is not finite: a broken model must not be explained away.
    """

    user: str
    item: int
    rank: int
    score: float
    history: list[int]
    neighbours: list[int]
    signals: dict[str, float]
    interest: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        broken = [name for name, value in {"score": self.score, **self.signals}.items() if not math.isfinite(value)]
        if broken:
            raise ValueError(f"recommendation of item {self.item} to user {self.user}: {broken[0]} is not finite")


@dataclass(frozen=True)
class HistoryItem:
    """An item of the user's history, with the facts it shares with the candidate."""

    title: str
    shared: Facts


@dataclass(frozen=True)
class Packet:
    """Evidence for one recommendation. All strings are cleaned by `clean`; an empty field means "not known".

    Args:
        title: of the candidate.
        facts: of the candidate, name to values.
        keywords: of the candidate's text, strongest first.
        visual: theme words of the candidate's image.
        history: the user's most recent items, oldest first.
        neighbours: titles of history items that retrieval holds to be near the candidate.
        signals: the model's numbers, to two decimals.
    """

    title: str
    facts: Facts
    keywords: list[str] = field(default_factory=list)
    visual: list[str] = field(default_factory=list)
    history: list[HistoryItem] = field(default_factory=list)
    neighbours: list[str] = field(default_factory=list)
    signals: dict[str, float] = field(default_factory=dict)


def build_packet(recommendation: Recommendation, knowledge: Knowledge, history_length: int = 8) -> Packet:
    """Collect the evidence of one recommendation.

    Args:
        recommendation: what is to be explained; padding in its lists is skipped.
        knowledge: facts of the dataset the model was trained on.
        history_length: how many of the most recent history items to show.

    Raises:
        UserError: if an item is not in the dataset.
    """
    item = recommendation.item
    facts = clean_facts(knowledge.facts(item))
    history = [i for i in recommendation.history if i != PAD][-history_length:]
    return Packet(
        title=_title(item, knowledge),
        facts=facts,
        keywords=[clean(word) for word in knowledge.keywords(item)],
        visual=knowledge.visual_words(item),
        history=[
            HistoryItem(_title(i, knowledge), shared_facts(facts, clean_facts(knowledge.facts(i)))) for i in history
        ],
        neighbours=[_title(i, knowledge) for i in recommendation.neighbours if i != PAD][-history_length:],
        signals={name: round(value, 2) for name, value in recommendation.signals.items()},
    )


def _title(item: int, knowledge: Knowledge) -> str:
    """Return a title that is never empty: of what catalogues hold, some titles are blanks or invisible characters."""
    return clean(knowledge.title(item)) or clean(knowledge.raw_id(item)) or f"item {item}"


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """Make a catalogue string harmless to show: no control, format or surrogate characters, one line, capped.

    Format characters go too: bidirectional overrides and zero-width letters hide text from a human reader.
    """
    visible = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def clean_facts(facts: Mapping[str, Sequence[str]]) -> Facts:
    """Clean names and values, drop what is then empty, keep the first `MAX_FACTS` names and `MAX_VALUES` values."""
    cleaned: Facts = {}
    for name, values in facts.items():
        kept = [value for value in map(clean, values) if value][:MAX_VALUES]
        if clean(name) and kept:
            cleaned[clean(name)] = kept
    return dict(list(cleaned.items())[:MAX_FACTS])


def shared_facts(facts: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> Facts:
    """Return the part of `facts` that `other` states too: same name, same value whatever its letter case."""
    shared: Facts = {}
    for name, values in facts.items():
        theirs = {value.casefold() for value in other.get(name, [])}
        if common := [value for value in values if value.casefold() in theirs]:
            shared[name] = common
    return shared
