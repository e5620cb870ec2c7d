"""Words and signs of a text, and its sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mmrec.explain.verify.words import Key, number_form

_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+|\S")
_SILENT = frozenset("'\"")
"""Signs without a meaning of their own; what stands in quotation marks must be known anyway."""
_IN_NAMES = frozenset(",():-.&!?/+*#")
"""Signs that may stand between the words of a title."""
_AT_END = frozenset("+*#^")
"""Signs that may stand at the end of a name, as in "H&M+"."""
_TITLE_END = re.compile(r'[.!?]+"(?=\s*[a-z,;])')
"""A sign that belongs to a quoted title, because the sentence goes on."""
_SENTENCE_END = re.compile(r"[.!?]+[\"')]*(?=\s+\S|\s*$)")
_AFTER_USER = frozenset({"s", "has"})
CURRENCIES = {"$": "dollar usd", "€": "euro eur", "£": "pound gbp", "¥": "yen jpy"}


@dataclass(frozen=True)
class Token:
    """A word, a number or a sign: normal form and place in the text."""

    key: str
    start: int
    end: int


def addressed(tokens: list[Token]) -> list[Token]:
    """Return tokens with the user in the second person: "this user's history" is "your history"."""
    found: list[Token] = []
    for token in tokens:
        keys = [last.key for last in found[-2:]]
        if token.key == "user" and keys[1:] in (["the"], ["this"]):
            found[-1] = Token("you", found[-1].start, token.end)
        elif keys[1:] == ["you"] and token.key in _AFTER_USER and found[-1].end - found[-1].start > len("you"):
            user = found.pop()
            key = "your" if token.key == "s" else "you"
            found.append(Token(key, user.start, token.end if key == "your" else user.end))
            found += [] if key == "your" else [Token("have", token.start, token.end)]
        elif token.key == "history" and keys[1:] == ["the"]:
            found[-1:] = [replace(found[-1], key="your"), token]
        else:
            found.append(token)
    return found


def tokens_of(text: str) -> list[Token]:
    """Split a normalised text into tokens; quotation marks, apostrophes and hyphens within words are dropped."""
    found = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in _SILENT or (token == "-" and not _is_dash(text, match.start())):
            continue
        if token in ".!?" and _TITLE_END.match(text, match.start()):
            continue
        found.append(Token(number_form(token) if token[0].isdecimal() else token.casefold(), *match.span()))
    return found


def _is_dash(text: str, place: int) -> bool:
    return text[place - 1 : place].isspace() and text[place + 1 : place + 2].isspace()


def match_form(tokens: list[Token], start: int, form: Key) -> int | None:
    """Return the place after a form that starts at a token, None if it does not; signs within it are skipped.

    So is the "s" of a possessive within a name: "Hillside's granola" for Hillside granola.
    """
    place, opened = start, False
    for count, word in enumerate(form):
        while count and place < len(tokens) and tokens[place].key != word and _may_be_skipped(tokens, place):
            opened |= tokens[place].key == "("
            place += 1
        if place >= len(tokens) or tokens[place].key != word:
            return None
        place += 1
    signs = place < len(tokens) and tokens[place].key in _AT_END and tokens[place].start == tokens[place - 1].end
    return place + (signs or (opened and place < len(tokens) and tokens[place].key == ")"))


def _may_be_skipped(tokens: list[Token], place: int) -> bool:
    token = tokens[place]
    return token.key in _IN_NAMES or (token.key == "s" and token.start == tokens[place - 1].end + 1)


def price_forms(value: str) -> set[Key]:
    """Return the ways to write a price; the currency is a part of each."""
    keys = [token.key for token in tokens_of(value)]
    numbers = [key for key in keys if key[0].isdecimal()]
    signs = [key for key in keys if not key[0].isdecimal()]
    if len(numbers) != 1:
        return {tuple(keys)}
    if not signs:
        return {(numbers[0],)}
    names = [name for sign in signs for name in CURRENCIES.get(sign, sign).split()]
    forms = {(sign, numbers[0]) for sign in signs} | {(numbers[0], sign) for sign in signs}
    return forms | {(numbers[0], name) for name in names} | {(numbers[0], f"{name}s") for name in names}


def sentences_of(text: str, titles: Iterable[str] = ()) -> Iterator[str]:
    """Yield the sentences of a text; full stops within the given names do not end one."""
    folded = text.casefold()
    inside: set[int] = set()
    within: set[int] = set()  # before the end of a name
    for title in titles:
        place = folded.find(title.casefold())
        while title and place >= 0:
            inside.update(range(place, place + len(title)))
            within.update(range(place, place + len(title) - 1))
            place = folded.find(title.casefold(), place + 1)
    start = 0
    for match in _SENTENCE_END.finditer(text):
        following = text[match.end() :].lstrip()
        quoted = text.count('"', 0, match.start()) % 2 == 1  # "L.A. Confidential" is one name
        ends = '"' in match.group() and following[:1].isupper()
        named = match.start() in within or (match.start() in inside and not following[:1].isupper())
        if following and (named or (quoted and not ends)):
            continue
        yield text[start : match.end()].strip()
        start = match.end()
    if text[start:].strip():
        yield text[start:].strip()
