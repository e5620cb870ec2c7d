"""Statements: the atomic facts that an explanation may be made of (paper, section 3.5.1).

Each statement is true by construction, because it is read from the catalogue, from the user's history or from the
model, and it names its source. Explanations are composed of statements (`mmrec.explain.writing.grounded`) or checked
against them (`mmrec.explain.writing.free`).

Statements are ranked by how much they tell: information content of the fact in the catalogue (bits) times the weight of
the history items that share it. The weight of an item is its attribution, the fall of the recommended item's
log-probability when the item is removed from the history; for a sequential model it falls with the age of the item.
Where attribution was not measured, recency takes its place.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from mmrec.batch import PAD
from mmrec.explain.domain import SHOP, Domain, domain_of
from mmrec.explain.facts import is_quality, kind_of, plain_name, said_of
from mmrec.explain.images import COLOURS
from mmrec.explain.knowledge import STOP_WORDS, Knowledge, telling_facts
from mmrec.explain.names import shown_title
from mmrec.explain.packet import Recommendation, most_influential, partly_measured
from mmrec.explain.text import joined

MAX_HISTORY = 50
"""Newest history items whose facts are read; of a longer history it is not known how many items have a fact."""
MAX_TITLES = 8
"""Newest history items that are named, those of a packet."""
DECAY = 0.85
"""Weight of a history item against that of the next newer one, where attribution was not measured."""
LEAST_WEIGHT = 0.01
"""Weight of a history item without which the recommendation would be the same, against the most influential one."""
SHARPNESS = 3
"""Power of an item's share of the largest fall: the larger, the more the most influential items decide."""
MAX_WORDS = 3
"""Shared words of the texts that become statements."""
LEAST_BITS = 0.3
"""Information content below which a shared fact tells nothing: four of five items have it."""
SLIGHT = {"year": 0.1, "size": 0.1}
"""Weights of kinds of facts that are weak reasons although their values are rare."""
BREADTH = 0.25
"""How much less a fact tells when twice as many items of the history have it: a drama among many dramas."""
OWN_WEIGHT = 0.1
"""Weight of a fact of the recommended item that no history item shares."""
WORD_WEIGHT = 0.2
"""Weight of a shared word of the texts against a shared fact."""
TITLE_WORD_WEIGHT = 0.5
"""Weight of a shared word of the titles, which counts where no fact is shared."""
LEAST_WORD_BITS = 1 / 3
"""Share of the largest information content, log2 of the number of items, below which a word of titles tells nothing."""
THEME_WEIGHT = 0.3
"""Weight of a shared theme of the images against a shared fact."""
LEAST_THEME_BITS = 1.0
"""Information content below which a shared theme of the images tells nothing."""
CLOSE_BITS = 1.5
"""Information content of a retrieved neighbour."""
TITLE = "title"
"""Name of the statement that a history item has the same title."""
TITLE_WORD = "title word"
"""Name of the statement that titles of the history have a word of the item's title."""
_TONES = frozenset({"dark", "bright", "low contrast", "high contrast"})


class Kind(StrEnum):
    """What a statement is about; the values are those of the rows in files."""

    SHARED = "shared"
    """The item has a fact in common with items of the history."""
    ATTRIBUTE = "attribute"
    """The item has a fact."""
    HISTORY = "history"
    """The user has an item."""
    NEIGHBOUR = "neighbour"
    """Retrieval (eq. 5) holds the item to be close to an item of the history."""
    INFLUENCE = "influence"
    """The item's score falls most when these items are removed from the history."""
    SHARED_IMAGE = "shared image"
    """The item's image has a theme in common with images of the history."""
    IMAGE = "image"
    """The item's image has a theme."""
    KEYWORD = "keyword"
    """The item's text has a word in common with texts of the history, or its title with titles."""
    SIGNAL = "signal"
    """The model weighs recent against long-term interest in this way."""


@dataclass(frozen=True)
class Statement:
    """One atomic fact.

    Args:
        id: short name that is unique in one explanation, such as `s3`. The most telling statement is `s1`.
        kind: what the statement is about.
        text: the statement as one plain English sentence.
        name: name of the fact in the catalogue, such as `colour_group_name`; of a neighbour the modalities by which it
            is close, such as "text and image"; empty for statements without either.
        value: value of the fact, the theme or the word; of an influence the number of the newest history items it was
            measured among, empty for the whole history; empty for statements without a value.
        titles: titles of history items it speaks of, of the newest `MAX_TITLES`, those that count most first.
        count: number of history items it speaks of.
        telling: how much the statement tells, in bits times weight.
    """

    id: str
    kind: Kind
    text: str
    name: str = ""
    value: str = ""
    titles: tuple[str, ...] = ()
    count: int = 0
    telling: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """Everything that may be said of one recommendation.

    Args:
        title: title of the recommended item; empty where the catalogue has none.
        domain: words for this kind of catalogue.
        statements: all statements, the most telling first.
        seed: number that chooses between equal wordings, the same for the same user and item.
        history_size: number of different items of the history; 0 if it has more than are counted, or the recommended
            item is one of them.
        history_read: whether the item's score depends on the history; None where that was not measured.
    """

    title: str
    domain: Domain
    statements: tuple[Statement, ...]
    seed: int = 0
    history_size: int = 0
    history_read: bool | None = None

    def by_id(self, name: str) -> Statement:
        """Return the statement with this id. Raises KeyError."""
        for statement in self.statements:
            if statement.id == name:
                return statement
        raise KeyError(name)


def evidence_of(recommendation: Recommendation, knowledge: Knowledge, read_images: bool = True) -> Evidence:
    """Turn the evidence of one recommendation into ranked statements.

    Args:
        recommendation: the recommendation to explain; padding in its lists is skipped.
        knowledge: facts of the dataset the model was trained on.
        read_images: open image files to describe them; False uses only what is known of the images already.

    Raises:
        UserError: an item is not in the dataset.
    """
    domain = domain_of(knowledge)
    maker = _Maker(recommendation, knowledge, domain, read_images)
    title = knowledge.title(recommendation.item) if knowledge.has_title(recommendation.item) else ""
    known = {*maker.older} == {*recommendation.history} - {PAD}
    read = any(recommendation.fall_of.values()) if recommendation.falls else None
    statements = tuple(rank_statements(maker.make()))
    return Evidence(title, domain, statements, _seed(recommendation), len(maker.older) if known else 0, read)


def rank_statements(statements: Iterable[Statement]) -> list[Statement]:
    """Return the statements by how much they tell, the most telling first, with ids in this order."""
    ranked = sorted(statements, key=lambda s: (-s.telling, s.kind, s.name, s.value, s.titles))
    return [replace(statement, id=f"s{place}") for place, statement in enumerate(ranked, start=1)]


class _Maker:
    """Makes the statements of one recommendation."""

    def __init__(self, recommendation: Recommendation, knowledge: Knowledge, domain: Domain, read_images: bool) -> None:
        self.knowledge = knowledge
        self.domain = domain
        self.read_images = read_images
        self.item = recommendation.item
        self.recommendation = recommendation
        self.older = list(dict.fromkeys(reversed(recommendation.others)))[:MAX_HISTORY]
        self.history = self.older[:MAX_TITLES]
        self.weights = _weights(self.history, recommendation)

    def make(self) -> list[Statement]:
        """Return all statements in no particular order."""
        made = [*self._facts(), *self._history(), *self._neighbours(), *self._images(), *self._words()]
        if not any(statement.kind is Kind.SHARED for statement in made):
            made += self._title_words()
        return [*made, *self._influence(), *self._signals()]

    def _facts(self) -> Iterable[Statement]:
        owners: dict[tuple[str, str], list[int]] = {}
        for item in self.older:
            for name, value in telling_facts(self.knowledge.facts(item)):
                owners.setdefault((kind_of(name), value.casefold()), []).append(item)
        for name, value in telling_facts(self.knowledge.facts(self.item)):
            everything = owners.get((kind_of(name), value.casefold()), [])
            items = [item for item in everything if item in self.weights]
            if items and kind_of(name) != "price":
                bits = self.knowledge.bits(name, value)
                told = SLIGHT.get(kind_of(name), 1.0) * bits if bits >= LEAST_BITS else 0.0
                made = self._shared(Kind.SHARED, name, value, items, told / (1 + BREADTH * math.log2(len(everything))))
                yield replace(made, count=len(everything))
            else:
                telling = OWN_WEIGHT * self.knowledge.bits(name, value)
                text = (
                    f"It {said_of(name, value)}." if is_quality(name, value) else f"Its {plain_name(name)} is {value}."
                )
                yield Statement("", Kind.ATTRIBUTE, text, name, value, telling=telling)
        if self.knowledge.has_title(self.item):
            title = self.knowledge.title(self.item)
            same = [item for item in self.history if _spelled(self.knowledge.title(item)) == _spelled(title)]
            if same:
                yield self._shared(Kind.SHARED, TITLE, title, same, math.log2(len(self.knowledge) + 1))

    def _shared(self, kind: Kind, name: str, value: str, items: Sequence[int], bits: float) -> Statement:
        what = f"Its image shows {value}" if kind is Kind.SHARED_IMAGE else f"Its {plain_name(name)} is {value}"
        if kind is Kind.KEYWORD:
            what = f"Its {'title' if name == TITLE_WORD else 'description'} has the word {value}"
        elif is_quality(name, value):
            what = f"It {said_of(name, value)}"
        titles = self._titles(items)
        unnamed = f"{len(items)} {self.domain.noun if len(items) == 1 else self.domain.nouns}"
        text = f"{what}, in common with {', '.join(titles) or unnamed}."
        telling = bits * sum(sorted((self.weights[item] for item in items), reverse=True)[:2])  # those that are named
        return Statement("", kind, text, name, value, titles, len(items), telling)

    def _history(self) -> Iterable[Statement]:
        for item in filter(self.knowledge.has_title, self.history):
            title = self.knowledge.title(item)
            sort = self.knowledge.type_of(item)
            text = f"You {self.domain.did} {title}{f', of the type {sort}' if sort else ''}."
            named = "type" if sort else ""
            yield Statement("", Kind.HISTORY, text, named, sort, (title,), 1, 0.02 * self.weights[item])

    def _neighbours(self) -> Iterable[Statement]:
        for item in dict.fromkeys(reversed(self.recommendation.neighbours)):
            if item in self.weights and self.knowledge.has_title(item):
                title = self.knowledge.title(item)
                both = (self.item, item)
                read = [m for m in self.recommendation.modalities if all(self.knowledge.has(m, i) for i in both)]
                by = " and ".join(read)
                text = f"By its {by} it is close to {title}." if by else f"The model holds it close to {title}."
                telling = CLOSE_BITS * self.weights[item]
                yield Statement("", Kind.NEIGHBOUR, text, by, titles=(title,), count=1, telling=telling)

    def _images(self) -> Iterable[Statement]:
        themes = self.knowledge.image_words(self.item, self.read_images)
        if not themes:
            return
        shown = {item: self.knowledge.image_words(item, self.read_images) for item in self.history[:MAX_TITLES]}
        for theme in themes:
            bits = 0.0 if theme in _TONES else self.knowledge.theme_bits(theme, self.read_images)
            if bits < LEAST_THEME_BITS or (theme in COLOURS and self.domain.image != SHOP.image):
                bits = 0.0  # white backgrounds and the colours of posters are not why somebody likes an item
            bits *= THEME_WEIGHT
            items = [item for item, words in shown.items() if theme in words]
            if items:
                yield self._shared(Kind.SHARED_IMAGE, "image", theme, items, bits)
            else:
                text = f"Its image shows {theme}."
                yield Statement("", Kind.IMAGE, text, "image", theme, telling=OWN_WEIGHT * bits)

    def _words(self) -> Iterable[Statement]:
        said = set(self.knowledge.split(self.knowledge.title(self.item)))
        for values in self.knowledge.facts(self.item).values():
            said.update(word for value in values for word in self.knowledge.split(value))
        shown = {item: set(self.knowledge.text_words(item)) for item in self.history[:MAX_TITLES]}
        found = []
        for word in self.knowledge.keywords(self.item):
            items = [item for item, words in shown.items() if word in words]
            if items and word not in said and word not in STOP_WORDS and len(word) > 3:
                bits = WORD_WEIGHT * self.knowledge.word_bits(word)
                found.append(self._shared(Kind.KEYWORD, "text", word, items, bits))
        yield from sorted(found, key=lambda s: -s.telling)[:MAX_WORDS]

    def _title_words(self) -> Iterable[Statement]:
        """Return the words that the title has in common with titles of the history, as readers see both."""
        spelled = {word.casefold(): word for word in re.findall(r"[^\W_]+", self.knowledge.title(self.item))}
        named = filter(self.knowledge.has_title, self.history)
        titles = {item: {*self.knowledge.split(shown_title(self.knowledge.title(item)))} for item in named}
        found, least = [], LEAST_WORD_BITS * math.log2(len(self.knowledge))
        for word in dict.fromkeys(self.knowledge.split(shown_title(self.knowledge.title(self.item)))):
            items = [item for item, words in titles.items() if word in words]
            bits = self.knowledge.title_word_bits(word)
            if items and word in spelled and word not in STOP_WORDS and len(word) > 3 and bits >= least:
                found.append(self._shared(Kind.KEYWORD, TITLE_WORD, spelled[word], items, TITLE_WORD_WEIGHT * bits))
        yield from sorted(found, key=lambda s: -s.telling)[:MAX_WORDS]

    def _influence(self) -> Iterable[Statement]:
        last = partly_measured(self.recommendation)
        compared = len(self.history) > 1 and last != 1
        found = most_influential(self.recommendation) if compared else []
        if found and all(self.knowledge.has_title(item) for item in found):
            titles = tuple(dict.fromkeys(self.knowledge.title(item) for item in found))
            counts = "counts" if len(titles) == 1 else "count"
            scope = f"the last {last} {self.domain.nouns}" if last else "all"
            text = f"Of {scope} that you {self.domain.did}, {joined(titles)} {counts} most for this."
            value = str(last) if last else ""
            yield Statement("", Kind.INFLUENCE, text, value=value, titles=titles, count=len(titles), telling=0.3)

    def _signals(self) -> Iterable[Statement]:
        gate = self.recommendation.signals.get("gate")
        if gate is not None and len(self.history) > 1 and abs(gate - 0.5) >= 0.1:
            value = "recent" if gate > 0.5 else "long-term"
            other = "long-term" if gate > 0.5 else "recent"
            text = f"Your {value} interest counts more here than your {other} interest."
            yield Statement("", Kind.SIGNAL, text, "gate", value, telling=0.01)

    def _titles(self, items: Sequence[int]) -> tuple[str, ...]:
        """Return the titles of the items with the largest weights; an item without a title is counted, not named."""
        best = sorted(filter(self.knowledge.has_title, items), key=lambda item: -self.weights[item])[:MAX_TITLES]
        return tuple(dict.fromkeys(self.knowledge.title(item) for item in best))


def _spelled(title: str) -> str:
    """Return a title in the form in which titles are compared: V-Neck Strap Top. and V-neck strap top are the same."""
    return title.casefold().strip(" .!")


def _weights(history: Sequence[int], recommendation: Recommendation) -> dict[int, float]:
    """Return the weight of each history item in (0, 1]: attribution if it was measured, else recency."""
    falls = {item: fall for item, fall in recommendation.fall_of.items() if item in history}
    largest = max(falls.values(), default=0.0)
    if largest <= 0:
        return {item: DECAY**age for age, item in enumerate(history)}
    shares = (max(falls.get(item, 0.0) / largest, 0.0) ** SHARPNESS for item in history)
    return {item: max(share, LEAST_WEIGHT) for item, share in zip(history, shares, strict=True)}


def _seed(recommendation: Recommendation) -> int:
    """Return a number of user and item that is the same in every process."""
    return zlib.crc32(f"{recommendation.user}\n{recommendation.item}".encode("utf-8", "backslashreplace"))
