"""The evidence packet: what is known about one recommendation (paper, section 3.5.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmrec.batch import PAD
from mmrec.data.features.encoders.base import Modality
from mmrec.explain.knowledge import Facts, Knowledge

INFLUENCE_SHARE = 0.9
"""Share of all falls that the most influential items have together."""
MOST_INFLUENTIAL = 3
"""Largest number of items that are named as the most influential ones."""
LEAST_FALL = 1e-5
"""Smaller changes of a log-probability are rounding."""


@dataclass(frozen=True)
class Recommendation:
    """One recommended item, as the model returns it. Items are indices into `items.parquet`.

    Args:
        user: the user's id in the raw data.
        item: the recommended item.
        rank: place in the user's list, from 1.
        score: the model's score of the item (finite).
        history: items of the user, oldest first; only of periods that the caller may show (never the test period).
        neighbours: history items that have the recommended item among their retrieved neighbours; may be empty.
        signals: finite numbers the model decided with, for example `{"alpha": 0.6, "gate": 0.4}`.
        interest: (D,) u, the user's vector, if the model has one.
        falls: falls of the item's log-probability when one of the newest history items is removed with all its copies,
            in the order of the history; the last value belongs to the newest item. Empty if they were not measured.
        modalities: modalities of the items that the model reads; empty if it knows items by id alone.

    Raises:
        ValueError: the score or a signal is not finite; a broken model must not be explained.
    """

    user: str
    item: int
    rank: int
    score: float
    history: list[int]
    neighbours: list[int]
    signals: dict[str, float]
    interest: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    falls: tuple[float, ...] = ()
    modalities: tuple[Modality, ...] = ()

    @property
    def others(self) -> list[int]:
        """The history without padding and without the recommended item, which does not count as evidence for itself."""
        return [item for item in self.history if item not in (PAD, self.item)]

    @property
    def fall_of(self) -> dict[int, float]:
        """The fall of each different history item whose fall was measured, the newest item first.

        An item that occurs several times has one fall, the largest of its places.
        """
        items = [item for item in self.history if item != PAD]
        found: dict[int, float] = {}
        for item, fall in zip(reversed(items), reversed(self.falls), strict=False):
            real = fall if abs(fall) >= LEAST_FALL else 0.0
            found[item] = max(real, found.get(item, real))
        return found

    def __post_init__(self) -> None:
        broken = [name for name, value in {"score": self.score, **self.signals}.items() if not math.isfinite(value)]
        if broken:
            raise ValueError(f"recommendation of item {self.item} to user {self.user}: {broken[0]} is not finite")


@dataclass(frozen=True)
class HistoryItem:
    """An item of the user's history.

    Args:
        title: title of the item.
        shared: facts that it shares with the recommended item.
        type: what kind of product it is, such as "Dress"; empty if the catalogue does not say it.
    """

    title: str
    shared: Facts
    type: str = ""


@dataclass(frozen=True)
class Packet:
    """Evidence of one recommendation. All strings are cleaned by `clean`; an empty field means "not known".

    Args:
        title: title of the recommended item.
        facts: facts of the recommended item, name to values.
        keywords: words of its text, strongest first.
        visual: theme words of its image.
        history: the user's most recent items other than the recommended one, oldest first.
        neighbours: titles of history items that retrieval holds to be close to the recommended item.
        signals: the model's numbers, to two decimals.
        history_size: number of all items of the user's history, of which `history` shows the newest.
        influence: titles of the history items that count most, see `most_influential`.
        measured: number of the newest history items among which `influence` was measured; 0 for the whole history.
    """

    title: str
    facts: Facts
    keywords: list[str] = field(default_factory=list)
    visual: list[str] = field(default_factory=list)
    history: list[HistoryItem] = field(default_factory=list)
    neighbours: list[str] = field(default_factory=list)
    signals: dict[str, float] = field(default_factory=dict)
    history_size: int = 0
    influence: list[str] = field(default_factory=list)
    measured: int = 0


def build_packet(
    recommendation: Recommendation, knowledge: Knowledge, history_length: int = 8, read_images: bool = True
) -> Packet:
    """Collect the evidence of one recommendation.

    Args:
        recommendation: the recommendation to explain; padding in its lists is skipped.
        knowledge: facts of the dataset the model was trained on.
        history_length: number of the most recent history items to show.
        read_images: open image files to describe them; False uses only what is known of the images already.

    Raises:
        UserError: an item is not in the dataset.
    """
    item = recommendation.item
    facts = knowledge.facts(item)
    history = recommendation.others[-history_length:]
    return Packet(
        title=knowledge.title(item),
        facts=facts,
        keywords=knowledge.keywords(item),
        visual=knowledge.image_words(item, read_images),
        history=[
            HistoryItem(knowledge.title(i), shared_facts(facts, knowledge.facts(i)), knowledge.type_of(i))
            for i in history
        ],
        neighbours=[knowledge.title(i) for i in recommendation.neighbours if i not in (PAD, item)][-history_length:],
        signals={name: round(value, 2) for name, value in recommendation.signals.items()},
        history_size=sum(i != PAD for i in recommendation.history),
        influence=list(dict.fromkeys(knowledge.title(i) for i in most_influential(recommendation))),
        measured=partly_measured(recommendation),
    )


def most_influential(recommendation: Recommendation) -> list[int]:
    """Return the few history items that count most, those with the largest fall first.

    They are as few as have `INFLUENCE_SHARE` of all falls above 0 together, and at most `MOST_INFLUENTIAL`; none if the
    falls were not measured, or if the recommended item itself is among them.
    """
    measured = recommendation.fall_of
    total = sum(max(fall, 0.0) for fall in measured.values())
    found: list[int] = []
    for item in sorted(measured, key=lambda i: -measured[i])[:MOST_INFLUENTIAL]:
        if measured[item] > 0 and sum(measured[i] for i in found) < INFLUENCE_SHARE * total:
            found.append(item)
    return found if recommendation.item not in found else []


def partly_measured(recommendation: Recommendation) -> int:
    """Return the number of different newest history items whose fall was measured; 0 if all or none were."""
    measured = set(recommendation.fall_of)
    return 0 if measured == {*recommendation.history} - {PAD} else len(measured)


def shared_facts(facts: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> Facts:
    """Return the part of `facts` that `other` states too: same name, same value in any letter case."""
    shared: Facts = {}
    for name, values in facts.items():
        theirs = {value.casefold() for value in other.get(name, [])}
        if common := [value for value in values if value.casefold() in theirs]:
            shared[name] = common
    return shared
