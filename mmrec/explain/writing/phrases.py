"""What statements say of an item: as a noun phrase ("crime drama directed by Ana Lopez") and as the end of a sentence.

A part of a sentence is plain text, or (text, id of the statement that supports it).
"""

from __future__ import annotations

from collections.abc import Sequence

from mmrec.explain.facts import kind_of, said_of
from mmrec.explain.names import PAIR, is_countable, shown_value, with_article
from mmrec.explain.statements import TITLE_WORD, Evidence, Kind, Statement
from mmrec.explain.text import joined
from mmrec.explain.verify.words import end_in, heads, inflected, normal_form

Part = str | tuple[str, str]
"""A piece of a sentence, with the statement that supports it if one does."""
MAKERS = {
    "director": ("was directed by", "who also directed"), "author": ("was written by", "who also wrote"),
    "actor": ("stars", "whom you saw in"),
}  # fmt: skip
"""Kinds of people: the verb of the recommended item, and how a history item is added to the name."""
_NOUN_GENRES = ("drama", "comedy", "thriller", "musical", "western", "documentary", "romance", "film-noir")
_GENRE_ADJECTIVES = {"animation": "animated", "romance": "romantic"}
_AFTER = {
    "brand": "by {}", "director": "directed by {}", "author": "written by {}", "artist": "by {}", "actor": "with {}",
    "collection": "from the {} collection", "section": "from the {}", "year": "from {}", "country": "from {}",
    "material": "made of {}", "developer": "developed by {}", "publisher": "published by {}", "platform": "for {}",
    "label": "with the label {}",
}  # fmt: skip
_BEFORE = frozenset({"colour", "material"})
_AFTER_IS = {
    "brand": "by {}", "colour": "{}", "material": "made of {}", "artist": "by {}", "year": "from {}",
    "collection": "from the {} collection", "section": "from the {}", "category": "in the category {}",
}  # fmt: skip
_VERBS = {
    "director": "was directed by {}", "author": "was written by {}", "price": "costs {}", "country": "comes from {}",
    "size": "comes in size {}", "developer": "was developed by {}", "publisher": "was published by {}",
    "platform": "is for {}", "language": "is in {}",
}  # fmt: skip


def noun_phrase(statements: Sequence[Statement], evidence: Evidence) -> list[Part] | None:
    """Return a noun phrase without an article that says all of some statements; None if there is none."""
    genres = [s for s in statements if kind_of(s.name) == "genre"]
    heads = [s for s in statements if s not in genres and _is_noun(s, evidence)]
    actors = [s for s in statements if kind_of(s.name) == "actor"]
    rest = [s for s in statements if s not in genres and s not in heads and s not in actors]
    if (
        len(heads) + bool(genres) > 1
        or len(genres) > 2
        or any(s.kind is not Kind.SHARED or kind_of(s.name) not in _AFTER for s in rest)
    ):
        return None
    before = [s for s in rest if kind_of(s.name) in _BEFORE and heads]
    text, supported_by = _head(heads, genres, evidence)
    parts: list[Part] = [PAIR] if before and text.startswith(PAIR) else []
    for statement in before:
        parts += [(_value(statement), statement.id), " "]
    head = text.removeprefix(PAIR) if before else text
    parts.append((head, supported_by) if supported_by else head)
    for statement in (s for s in rest if s not in before):
        parts += [" ", (_AFTER[kind_of(statement.name)].format(_value(statement)), statement.id)]
    if actors:
        parts += [" with ", *listed([(s.value, s.id) for s in actors])]
    return parts


def predicates(statements: Sequence[Statement], evidence: Evidence) -> list[tuple[str, str]]:
    """Return (what is said after "it", id) of each statement; genres and actors are said together."""
    said: list[tuple[str, str]] = []
    done: set[str] = set()
    for statement in statements:
        kind = kind_of(statement.name)
        if kind in ("genre", "actor"):
            if kind not in done:
                values = [s.value for s in statements if kind_of(s.name) == kind]
                text = f"is {with_article(_genres(values, evidence))}" if kind == "genre" else f"stars {joined(values)}"
                said.append((text, statement.id))
            done.add(kind)
        else:
            said.append((_predicate(statement, evidence), statement.id))
    return said


def is_maker(statements: Sequence[Statement]) -> bool:
    """Return whether statements name people of one kind alone: the director, or actors."""
    kinds = {kind_of(s.name) for s in statements if s.kind is Kind.SHARED}
    return len(kinds) == 1 and kinds <= MAKERS.keys() and all(s.kind is Kind.SHARED for s in statements)


def _head(heads: Sequence[Statement], genres: Sequence[Statement], evidence: Evidence) -> tuple[str, str]:
    if heads:
        return bare_noun(heads[0].value), heads[0].id
    if genres:
        return _genres([s.value for s in genres], evidence), genres[0].id
    return evidence.domain.noun, ""


def bare_noun(value: str) -> str:
    """Return a value as a countable noun without an article: "dress", "pair of trousers"."""
    return with_article(_in_lower_case(value)).removeprefix("an ").removeprefix("a ")


def _in_lower_case(value: str) -> str:
    return value.lower().replace("t-shirt", "T-shirt")


def is_noun(statement: Statement, evidence: Evidence) -> bool:
    """Return whether a statement says what the item is: its type, or a category that its title names."""
    return statement.kind in (Kind.SHARED, Kind.ATTRIBUTE) and _is_noun(statement, evidence)


def _is_noun(statement: Statement, evidence: Evidence) -> bool:
    kind, value = kind_of(statement.name), statement.value.lower()
    named = kind == "category" and end_in(heads(evidence.title), inflected(normal_form(value)))
    return (kind == "type" or named) and is_countable(value)


def _predicate(statement: Statement, evidence: Evidence) -> str:
    kind = kind_of(statement.name)
    if statement.kind is Kind.KEYWORD:
        where = "title" if statement.name == TITLE_WORD else "description"
        return f"mentions “{statement.value}” in its {where}"
    value = _value(statement)
    if _is_noun(statement, evidence):
        return f"is {with_article(_in_lower_case(value))}"
    if kind in _AFTER_IS:
        return f"is {_AFTER_IS[kind].format(value)}"
    if kind in _VERBS:
        return _VERBS[kind].format(value)
    if kind == "type":
        return f"is of the type {value}"
    if kind == "pattern":
        bare = value.removesuffix(" pattern")
        return "is in one plain colour" if bare == "solid" else f"has {with_article(bare)} pattern"
    return said_of(statement.name, value)


def _value(statement: Statement) -> str:
    """Return the value of a fact as it is shown; a section is called one unless its name says what it is."""
    value = shown_value(kind_of(statement.name), statement.value)
    if kind_of(statement.name) == "section" and not value.lower().endswith(("collection", "section", "department")):
        return f"{value} section"
    return value


def _genres(values: Sequence[str], evidence: Evidence) -> str:
    """Return genres as a noun phrase without an article: "crime drama", "action and adventure film"."""
    names = [value.lower() for value in values]
    if evidence.domain.noun != "film":
        return f"{joined(names)} {evidence.domain.noun}"
    names.sort(key=lambda name: name == "romance", reverse=True)  # a romantic comedy, not a comedy and romance film
    nouns = [name for name in names if name in _NOUN_GENRES]
    others = [name for name in names if name not in _NOUN_GENRES]
    if len(nouns) == 2 and nouns[0] == "romance" and not others:
        return f"romantic {nouns[1]}".replace("-", " ")
    if len(nouns) == 1 and len(others) <= 1 and nouns != ["romance"]:
        return " ".join([*(_GENRE_ADJECTIVES.get(name, name) for name in others), nouns[0].replace("-", " ")])
    if names == ["romance"]:
        return "romance"
    if len(names) == 1:
        return f"{_GENRE_ADJECTIVES.get(names[0], names[0])} film"
    if "animation" in names and len(names) == 2:
        return f"animated {next(name for name in names if name != 'animation')} film"
    return f"{joined([name.replace('film-noir', 'film noir') for name in names])} film"


def listed(named: Sequence[tuple[str, str]]) -> list[Part]:
    """Return parts with commas and "and" between them."""
    parts: list[Part] = []
    for place, one in enumerate(named):
        parts += ["" if not place else " and " if place == len(named) - 1 else ", ", one]
    return parts
