"""Normal forms of names: the words in which strings are compared, and other ways to write the same string.

Comparison is by words: NFKC, case-folded, punctuation left out, so `Schindler's List` and `schindler’s list` are the
same. `aliases` gives the ways to write a title or a name, `inflected` the singular and plural of a common noun.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mmrec.explain.knowledge import STOP_WORDS

Key = tuple[str, ...]
"""A string in normal form: its words."""

ARTICLES = frozenset({"the", "a", "an"})
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_APART = re.compile(r":|,|\s[-–—]\s")
_BREAKS = STOP_WORDS | {
    "without",
    "under",
    "near",
    "inside",
    "behind",
    "against",
    "including",
    "featuring",
    "per",
    "via",
    "w",
}
"""Words that end what a thing is called: what follows a preposition is another thing."""


@dataclass(frozen=True)
class Word:
    """A word of a text: as written, in normal form, and where it stands."""

    text: str
    key: str
    start: int
    end: int

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital letter."""
        return self.text[0].isupper()


def words_of(text: str) -> Iterator[Word]:
    """Split a text, which is in NFKC already, into its words."""
    for match in _TOKEN.finditer(text):
        token = match.group()
        key = number_form(token) if token[0].isdecimal() else unicodedata.normalize("NFKC", token.casefold())
        yield Word(token, key, match.start(), match.end())


def normal_form(string: str) -> Key:
    """Return the words of a string in the form in which they are compared."""
    return tuple(word.key for word in words_of(unicodedata.normalize("NFKC", string)))


def without_brackets(string: str) -> str:
    """Return a string without what is in brackets."""
    return _BRACKETS.sub(" ", string)


def whole_forms(string: str) -> set[Key]:
    """Return the normal forms under which a title or a name may be written whole.

    As it is, without a bracketed part (`Heat (1995)` as `Heat`), turned round at its comma (`Matrix, The` as
    `The Matrix`), or without a leading article.
    """
    bare = without_brackets(string)
    forms = [string, bare]
    head, _, tail = bare.rpartition(",")
    if head and ("," not in head or tail.strip().casefold() in ARTICLES):
        forms.append(f"{tail} {head}")
    found = {normal_form(form) for form in forms}
    found |= {form[1:] for form in found if len(form) > 1 and form[0] in ARTICLES}
    return found - {()}


def parts_of(string: str) -> list[Key]:
    """Return the words of each part of a name between `:`, ` - ` and commas, without what is in brackets."""
    return [words for part in _APART.split(without_brackets(string)) if (words := normal_form(part))]


def aliases(string: str) -> set[Key]:
    """Return normal forms of a name, whole or one part of two words or more (`The Old Cut` of `Alien: The Old Cut`)."""
    return whole_forms(string) | {part for part in parts_of(string) if len(part) > 1}


def head(words: Key) -> Key:
    """Return the words of a name for the kind of thing: `case` of `case for Galaxy phone`; empty if unclear.

    They are those before the first preposition. Where two things are joined ("salt and pepper mill"), it is not clear
    what is what.
    """
    words = words[1:] if words[:1] and words[0] in ARTICLES else words
    end = next((place for place, word in enumerate(words) if word in _BREAKS), len(words))
    return words[:end] if not {"and", "or"} & {*words[end : end + 1]} else ()


def heads(string: str) -> set[Key]:
    """Return the heads of the parts of a name."""
    return {*map(head, parts_of(string))} - {()}


def end_in(called: Iterable[Key], forms: Iterable[Key]) -> bool:
    """Return whether one of some heads ends in one of some forms: a belt bag is a bag and not a belt."""
    return any(words[-len(form) :] == form for words in called for form in forms)


def occurs(form: Key, words: Key) -> bool:
    """Whether some words stand in a text's words one after the other."""
    return any(words[i : i + len(form)] == form for i in range(len(words) - len(form) + 1))


def inflected(key: Key) -> set[Key]:
    """Return a key with its last word in the singular and the plural of English (`shoes` and `shoe`)."""
    if not key:
        return set()
    *first, last = key
    return {(*first, form) for form in _forms(last)}


def _forms(word: str) -> set[str]:
    forms = {word}
    if len(word) < 3 or not word.isalpha():
        return forms
    if word.endswith("ies"):
        forms.add(word[:-3] + "y")
    elif word.endswith("s") and not word.endswith("ss"):
        forms.add(word[:-1])
        if word.endswith("es"):
            forms.add(word[:-2])
    elif word.endswith("y") and word[-2] not in "aeiou":
        forms.add(word[:-1] + "ies")
    else:
        forms |= {word + "s", word + "es"} if word.endswith(("s", "x", "ch", "sh")) else {word + "s"}
    return forms


def number_form(token: str) -> str:
    """Bring `1,299.00`, `1299` and digits of other scripts to one form; other tokens only lose their letter case."""
    plain = re.sub(r",(?=\d{3}(?!\d))", "", token).replace(",", ".")
    if not _NUMBER.fullmatch(plain):  # a date, a decade, a model number
        return token.casefold()
    whole, _, part = "".join(c if c == "." else str(unicodedata.digit(c)) for c in plain).partition(".")
    return ".".join(filter(None, [whole.lstrip("0") or "0", part.rstrip("0")]))
