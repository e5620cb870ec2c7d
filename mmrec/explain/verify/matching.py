"""The machine under the verifier's grammar: rules as generators of (place after, meaning), with alternatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from mmrec.explain.verify.lexicon import Entry, Lexicon
from mmrec.explain.verify.tokens import Token, match_form
from mmrec.explain.verify.wording import Part

Found = Iterator[tuple[int, Any]]
Rule = Callable[[int], Iterable[tuple[int, Any]]]


MAX_STEPS = 15_000
"""Looks at the words of one sentence until it is given up; ordinary ones take 300, long ones 3,000."""


class TooLong(Exception):
    """A sentence with so many ways to read it that reading it takes too long."""


class Matcher:
    """Reads the tokens of one sentence.

    Args:
        tokens: the tokens.
        lexicon: the forms of the statements.

    `furthest` is the place of the first token that no rule could read so far, `rules` has the rules of the templates.
    """

    def __init__(self, tokens: list[Token], lexicon: Lexicon) -> None:
        self.tokens = tokens
        self.lexicon = lexicon
        self.furthest = 0
        self.steps = 0
        self.rules: dict[str, Rule] = {}
        self._known: dict[int, list[tuple[int, Entry]]] = {}
        self._results: dict[tuple[str, int], list[tuple[int, Any]]] = {}

    def seq(self, start: int, *parts: str | Rule) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield (place after, meanings of the rules) for each way to read the parts one after the other.

        A part is a rule, or words: alternatives between `|`, several words of one alternative between spaces, and `?`
        at the end if it may be missing.
        """
        if not parts:
            yield start, ()
            return
        first, rest = parts[0], parts[1:]
        if isinstance(first, str):
            for place in self.words(start, first):
                yield from self.seq(place, *rest)
            return
        for place, meaning in first(start):
            for end, meanings in self.seq(place, *rest):
                yield end, (meaning, *meanings)

    def seq_of(self, start: int, *parts: str | Rule) -> Iterator[tuple[int, Any]]:
        """Read parts one after the other; the meaning is that of the only rule among them."""
        for end, meanings in self.seq(start, *parts):
            yield end, meanings[0]

    def after(self, start: int, *parts: str | Rule) -> Iterator[int]:
        """Yield the place after parts, for each way to read them."""
        for end, _ in self.seq(start, *parts):
            yield end

    def words(self, start: int, pattern: str) -> Iterator[int]:
        """Yield the place after each alternative of a pattern that stands at `start`."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooLong
        alternatives, optional = _alternatives(pattern)
        if start < len(self.tokens):
            for rest in alternatives.get(self.tokens[start].key, ()):
                place = start + 1
                for word in rest:
                    if place >= len(self.tokens) or self.tokens[place].key != word:
                        break
                    place += 1
                else:
                    self.furthest = max(self.furthest, place)
                    yield place
        if optional:
            yield start

    def template(self, start: int, parts: tuple[Part, ...]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield (place after, meanings of its rules) for each way to read a template of `phrases.txt`."""
        yield from self.seq(start, *(self._part(*part) for part in parts))

    def _part(self, part: str, is_rule: bool) -> str | Rule:
        if not is_rule:
            return part
        rule: Rule = self.rules[part.removesuffix("?")]
        return self._perhaps(rule) if part.endswith("?") else rule

    def _perhaps(self, rule: Rule) -> Rule:
        return lambda start: [(start, None), *rule(start)]

    def entries(self, start: int) -> list[tuple[int, Entry]]:
        """Return (place after, what it can mean) for each form of the lexicon at `start`, the longest first."""
        if start not in self._known:
            found = []
            key = self.tokens[start].key if start < len(self.tokens) else ""
            for form in self._forms.get(key, ()):
                end = match_form(self.tokens, start, form)
                if end is not None:
                    found += [(end, entry) for entry in self.lexicon.entries[form]]
                    self.furthest = max(self.furthest, end)
            found.sort(key=lambda pair: -pair[0])
            longest: dict[str, int] = {}  # "Brio floor" is not a title where "Brio floor lamp" stands
            for end, entry in found:
                if entry.title is not None:
                    longest.setdefault(entry.title, end)
            self._known[start] = [pair for pair in found if pair[1].title is None or longest[pair[1].title] == pair[0]]
        return self._known[start]

    @property
    def _forms(self) -> dict[str, list[tuple[str, ...]]]:
        cached: dict[str, list[tuple[str, ...]]] | None = self.__dict__.get("_by_first")
        if cached is None:
            cached = {}
            for form in self.lexicon.entries:
                cached.setdefault(form[0], []).append(form)
            self.__dict__["_by_first"] = cached
        return cached

    def kind_noun(self, start: int) -> Found:
        """Read the noun of a kind of fact, such as "colour"; the meaning is the set of kinds."""
        for form, kinds in self.lexicon.kinds.items():
            end = match_form(self.tokens, start, form)
            if end is not None:
                self.furthest = max(self.furthest, end)
                yield end, frozenset(kinds)

    def once(self, name: str, start: int, rule: Callable[[int], Iterable[tuple[int, Any]]]) -> list[tuple[int, Any]]:
        """Return the results of a rule at a place, computed once; a rule that meets itself there finds nothing."""
        key = (name, start)
        if key not in self._results:
            self._results[key] = []
            self._results[key] = list(dict.fromkeys(rule(start)))
        return self._results[key]


@cache
def _alternatives(pattern: str) -> tuple[dict[str, list[tuple[str, ...]]], bool]:
    """Return the alternatives of a pattern by their first words, and whether all of them may be missing."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for alternative in pattern.removesuffix("?").split("|"):
        first, *rest = alternative.split() or [""]
        if tuple(rest) not in found.setdefault(first, []):
            found[first].append(tuple(rest))
    return found, pattern.endswith("?")
