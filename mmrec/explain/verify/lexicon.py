"""The words that a text about one recommendation may use: its statements by their written forms.

Nothing else has a meaning to the verifier, apart from the words of its grammar. So what a text can claim is closed: a
value that no statement has is an unknown word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mmrec.explain.facts import kind_of, plain_name
from mmrec.explain.knowledge import STOP_WORDS
from mmrec.explain.statements import Evidence, Kind
from mmrec.explain.verify.tokens import price_forms
from mmrec.explain.verify.words import Key, aliases, inflected, normal_form

TERMS_FILE = Path(__file__).with_name("terms.txt")
_KIND_NOUNS = {
    "brand": "brand maker label", "colour": "colour color", "type": "type kind", "director": "director",
    "actor": "actor actress star", "image": "image picture photo poster cover", "text": "description text story plot",
    "price": "price cost", "genre": "genre", "category": "category", "material": "material fabric",
    "pattern": "pattern print", "collection": "collection", "section": "section", "year": "year",
    "country": "country", "author": "author writer", "artist": "artist band", "size": "size", "title": "name title",
}  # fmt: skip
AKIN = 0.1
"""Least value of `Statement.telling` for a shared fact that makes two items similar."""
_ENDINGS = {"stripe": ("striped", "stripes"), "check": ("checked", "checks"), "dot": ("dotted", "dots")}


@dataclass(frozen=True)
class Value:
    """A fact of the recommended item.

    Args:
        kind: kind of the fact, such as "colour"; "image" and "text" for themes and words.
        value: the value in lower case.
    """

    kind: str
    value: str


@dataclass(frozen=True)
class Entry:
    """What some words can mean: a fact, the recommended item, or an item of the history.

    Args:
        value: the fact; None for an item.
        title: title of the history item; None for a fact, empty for the recommended item.
        whole: whether the words are a name of the item, not only the end of its title ("the hemp trousers").
    """

    value: Value | None = None
    title: str | None = None
    whole: bool = True


@dataclass
class Lexicon:
    """The forms of one recommendation's statements.

    Args:
        evidence: the statements.

    `entries` maps the words of a form to what they can mean, `kinds` the noun of a kind of fact to the kinds. `owners`
    has the titles of the history items that share a fact, `counts` how many items do. `names` maps each fact to its
    statement, `history` each title to its own statement, `sorts` each title to the forms of its type. `close` has the
    retrieved neighbours, `akin` the history items that share a fact which tells something, `influence` those with
    the largest influence, the first one before the others.
    """

    evidence: Evidence
    entries: dict[Key, list[Entry]] = field(default_factory=dict)
    kinds: dict[Key, set[str]] = field(default_factory=dict)
    owners: dict[Value, frozenset[str]] = field(default_factory=dict)
    counts: dict[Value, int] = field(default_factory=dict)
    names: dict[Value, str] = field(default_factory=dict)
    history: dict[str, str] = field(default_factory=dict)
    close: dict[str, str] = field(default_factory=dict)
    sorts: dict[str, set[Key]] = field(default_factory=dict)
    akin: set[str] = field(default_factory=set)
    influence: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.evidence.title:
            self._add_title(self.evidence.title, "")
        for statement in self.evidence.statements:
            for title in statement.titles:
                self.history.setdefault(title, statement.id)
            if statement.kind is Kind.HISTORY:
                self.history[statement.titles[0]] = statement.id
                if statement.value:
                    self.sorts[statement.titles[0]] = value_forms(statement.value, "type")
            elif statement.kind is Kind.INFLUENCE:
                self.influence = dict.fromkeys(statement.titles, statement.id)
            elif statement.kind is Kind.NEIGHBOUR:
                self.close[statement.titles[0]] = statement.id
            if statement.kind in _VALUES:
                kind = kind_of(statement.name)
                value = Value(kind, statement.value.casefold())
                self.owners[value] = frozenset(statement.titles)
                self.counts[value] = statement.count
                self.names[value] = statement.id
                if statement.telling >= AKIN and kind != "text":
                    self.akin |= self.owners[value]
                for form in value_forms(statement.value, kind):
                    self._add(form, Entry(value))
                for noun in (plain_name(statement.name), *_KIND_NOUNS.get(kind, "").split()):
                    for key in inflected(normal_form(noun)):
                        self.kinds.setdefault(key, set()).add(kind)
        for title in self.history:
            self._add_title(title, title)
        self._add_nouns()

    def add_shown(self, shown: str, title: str) -> None:
        """Add the form in which a title is shown to readers; an empty `title` is the recommended item."""
        self._add(normal_form(shown), Entry(title=title))

    @property
    def history_size(self) -> int:
        """Number of history items that are known by name."""
        return len(self.history)

    def _add_title(self, title: str, meaning: str) -> None:
        for form in aliases(title):
            self._add(form, Entry(title=meaning))
        words = normal_form(re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", title))
        for start in range(1, len(words)):
            if len(words) - start <= 3 and len(words[-1]) > 2:
                self._add(words[start:], Entry(title=meaning, whole=False))
        if len(words) == 1:
            self._add(words, Entry(title=meaning, whole=False))

    def _add_nouns(self) -> None:
        """Add what the recommended item is called: the last words of its title, types and categories."""
        called = [self.evidence.title] if self.evidence.title.split()[1:] else []
        called += [value.value for value in self.names if value.kind in ("type", "category")]
        sorts = {title: {word for form in forms for word in form} for title, forms in self.sorts.items()}
        for words in filter(None, map(normal_form, called)):
            forms = inflected(words[-1:])
            value = Value("noun", words[-1])
            spelled = {form[0] for form in forms}
            owners = {t for t in self.history if spelled & {*normal_form(t), *sorts.get(t, ())}}
            self.owners[value], self.counts[value], self.names[value] = frozenset(owners), len(owners), ""
            for form in forms:
                if form[0].isalpha() and len(form[0]) > 2:
                    self._add(form, Entry(value))

    def _add(self, form: Key, entry: Entry) -> None:
        if form and (len(form) > 1 or form[0] not in STOP_WORDS) and entry not in self.entries.setdefault(form, []):
            self.entries[form].append(entry)


_VALUES = frozenset({Kind.SHARED, Kind.ATTRIBUTE, Kind.IMAGE, Kind.SHARED_IMAGE, Kind.KEYWORD})


def value_forms(value: str, kind: str) -> set[Key]:
    """Return the forms in which the value of a fact may be written: singular and plural, synonyms, adjectives."""
    if kind == "price":
        return price_forms(value)
    forms = {form for alias in aliases(value) for form in inflected(alias)}
    for form in list(forms):
        forms |= _synonyms().get(form, frozenset())
        for ending in _ENDINGS.get(form[-1], ()):
            forms.add((*form[:-1], ending))
        if form[0] in ("a", "an", "the") and len(form) > 1:
            forms.add(form[1:])
    return forms


@cache
def _synonyms() -> dict[Key, frozenset[Key]]:
    """Return for each form of a common term all forms of the terms it is a form of."""
    found: dict[Key, frozenset[Key]] = {}
    for forms in _terms():
        for form in forms:
            found[form] = found.get(form, frozenset()) | forms
    return found


def _terms() -> Iterator[frozenset[Key]]:
    """Yield the forms of each term of `terms.txt`."""
    for line in TERMS_FILE.read_text(encoding="utf-8").splitlines():
        spelled = [normal_form(form) for form in line.replace("=", "|").split("|") if form.strip()]
        if spelled and not line.startswith(("#", "[")):
            yield frozenset(form for key in spelled for form in inflected(key))
