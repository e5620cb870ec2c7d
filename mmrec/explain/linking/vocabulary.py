"""What a text may claim of an item, by kind of fact: the values of the whole catalogue, and common terms.

A packet knows what is true; to see that a text says something else in plain lower-case words ("a comedy", "made of
wool"), one must know that these words name a genre and a material at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mmrec.explain.linking.words import Key, aliases, inflected, normal_form

TERMS_FILE = Path(__file__).with_name("terms.txt")
CLOSED_VALUES = 500
"""A fact with more values than this is no list to choose from (people, titles, prices): lower-case words that happen
to be among them mean nothing."""
GENERIC_SHARE = 0.5
"""A word in more than this share of the titles is one that a title may be written without ("collection" in a shop)."""
LONGEST_NAME = 6
"""Words; what a catalogue has beyond that is a description."""
PROPER = frozenset({"title", "brand", "person", "publisher"})
"""Kinds whose values are proper names, which an ordinary word may spell as well ("gap", "heat")."""

PLAIN = frozenset({"history", "item", "product", "film", "movie", "title", "picture", "taste", "style", "user"})
"""Words that any explanation needs: no claim unless they have a capital, whatever the catalogue calls so."""

_SAME_KIND = {
    "color": "colour", "fabric": "material", "store": "brand", "manufacturer": "brand", "maker": "brand",
    "director": "person", "actor": "person", "cast": "person", "author": "person", "artist": "person",
    "writer": "person", "designer": "person", "release year": "year", "publication year": "year", "cost": "price",
}  # fmt: skip
"""Names of facts in catalogues, singular, that are of one kind."""


class Term(NamedTuple):
    """A common term: its kind, the normal forms in which it is written, and whether it is an everyday word too."""

    kind: str
    forms: frozenset[Key]
    everyday: bool


@cache
def kind_of(name: str) -> str:
    """Return the kind of a fact by its name, in the singular: `Colors` is colour, `directors` is person."""
    singular = name.strip().casefold().replace("_", " ")
    if singular.endswith("ies") and singular != "series":
        singular = singular[:-3] + "y"
    elif len(singular) > 3 and singular.endswith("s") and not singular.endswith(("ss", "series")):
        singular = singular[:-1]
    return _SAME_KIND.get(singular, singular)


@cache
def common_terms() -> tuple[Term, ...]:
    """Read `terms.txt`."""
    terms, kind = [], ""
    for line in TERMS_FILE.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            term, _, others = line.lstrip("~").partition("=")
            spelled = [normal_form(form) for form in (term, *others.split("|")) if form.strip()]
            forms = frozenset(form for key in spelled for form in inflected(key))
            terms.append(Term(kind, forms, line.startswith("~")))
    return tuple(terms)


@cache
def _synonyms() -> Mapping[Key, frozenset[Key]]:
    """Each form of a common term, to all forms of the terms it is a form of."""
    found: dict[Key, frozenset[Key]] = {}
    for term in common_terms():
        for form in term.forms:
            found[form] = found.get(form, frozenset()) | term.forms
    return found


def is_colour(word: str) -> bool:
    """Whether a word is one of the common terms for colours."""
    return any(term.kind == "colour" and normal_form(word) in term.forms for term in common_terms())


def forms_of(value: str) -> set[Key]:
    """Return the normal forms in which the value of a fact may be written: aliases, number, synonyms."""
    forms = {form for alias in aliases(value) for form in inflected(alias)}
    for form in list(forms):
        forms |= _synonyms().get(form, frozenset())
    return forms


class Vocabulary:
    """The values of a catalogue by kind.

    `titles` are the titles of two words or more in all their forms, `generic` the words that most titles share,
    `longest` and `longest_title` the words in the longest value and title.

    Args:
        facts: (name of the fact, value) of all items.
        titles: of all items.
        lower_case: words that the catalogue's texts write without a capital: they are not proper names alone.
    """

    def __init__(
        self, facts: Iterable[tuple[str, str]], titles: Iterable[str] = (), lower_case: Iterable[str] = ()
    ) -> None:
        values: dict[str, set[str]] = {}
        for name, value in facts:
            values.setdefault(kind_of(name), set()).add(value)
        ordinary = set(lower_case)
        self._kinds: dict[Key, set[str]] = {}
        self._anywhere: set[Key] = set()
        for kind, of_kind in values.items():
            closed = len(of_kind) <= CLOSED_VALUES and kind not in ("year", "price")
            for key in (form for value in of_kind for form in forms_of(value)):
                letters = "".join(key)
                if len(key) > LONGEST_NAME or len(letters) < 3 or not any(letter.isalpha() for letter in letters):
                    continue  # a sentence, a size; numbers are judged as numbers
                self._kinds.setdefault(key, set()).add(kind)
                if closed and not (kind in PROPER and ordinary.issuperset(key)):
                    self._anywhere.add(key)
        forms = [aliases(title) for title in titles]
        self.titles = {key for of_title in forms for key in of_title if len(key) > 1}
        count = Counter(word for of_title in forms for word in {word for key in of_title for word in key})
        self.generic = frozenset(word for word, n in count.items() if n > GENERIC_SHARE * len(forms) and n > 1)
        for term in common_terms():
            for form in term.forms:
                self._kinds.setdefault(form, set()).add(term.kind)
        self._everyday = {form: term.kind for term in common_terms() if term.everyday for form in term.forms}
        strong = {form for term in common_terms() if not term.everyday for form in term.forms}
        self._anywhere |= strong
        self.longest = max(map(len, self._kinds), default=0)
        self.longest_title = max(map(len, self.titles), default=0)

    def kinds(self, key: Key) -> frozenset[str]:
        """Return the kinds of fact that have this value."""
        return frozenset(self._kinds.get(key, ()))

    def claims(self, key: Key, kinds: Iterable[str]) -> bool:
        """Whether these words are a claim in any letter case, said of an item with facts of these kinds."""
        if PLAIN.issuperset(key):
            return False
        return key in self._anywhere or self._everyday.get(key) in set(kinds)


def windows(keys: Key, longest: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every stretch of words, the longest first."""
    for length in range(min(longest, len(keys)), 0, -1):
        yield from ((start, start + length) for start in range(len(keys) - length + 1))
