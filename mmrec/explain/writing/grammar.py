"""The grammar: statements to one or two sentences.

It writes the explanations of `grounded` plans and, without a language model, of the default plan. What it says
is made of statements alone; wordings vary with the user and the item.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmrec.explain.facts import kind_of, plain_name
from mmrec.explain.statements import TITLE, Evidence, Kind, Statement
from mmrec.explain.writing.names import is_countable, joined, quoted, shown_value, with_article
from mmrec.explain.writing.plan import NAMED, Plan

_OF_HISTORY = frozenset({Kind.SHARED, Kind.SHARED_IMAGE, Kind.KEYWORD})
_NOUN_GENRES = frozenset({"drama", "comedy", "thriller", "musical", "western", "documentary", "romance", "film-noir"})


@dataclass(frozen=True)
class Sentence:
    """A sentence with its evidence.

    Args:
        text: the sentence.
        statements: ids of the statements it rests on.
        spans: (start, end, id) of each part that a statement supports, in characters of `text`, without overlaps.
    """

    text: str
    statements: tuple[str, ...] = ()
    spans: tuple[tuple[int, int, str], ...] = ()


@dataclass
class _Line:
    """A sentence that is being written."""

    text: str = ""
    spans: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, *parts: str | tuple[str, str]) -> _Line:
        """Append plain text, or (text, id of the statement that supports it)."""
        for part in parts:
            text, supported_by = (part, "") if isinstance(part, str) else part
            if supported_by:
                self.spans.append((len(self.text), len(self.text) + len(text), supported_by))
            self.text += text
        return self

    def sentence(self) -> Sentence:
        """Return the finished sentence, with a capital at its beginning."""
        text = self.text[:1].upper() + self.text[1:]
        return Sentence(text, tuple(dict.fromkeys(name for _, _, name in self.spans)), tuple(self.spans))


@dataclass(frozen=True)
class _Group:
    """Statements that are said together because they speak of the same history items."""

    statements: tuple[Statement, ...]

    @property
    def first(self) -> Statement:
        return self.statements[0]


def write(plan: Plan, evidence: Evidence) -> list[Sentence]:
    """Return the sentences of a plan.

    Args:
        plan: which statements, in which order and tone.
        evidence: the statements and the words of the catalogue.

    Raises:
        KeyError: the plan names a statement that does not exist.
    """
    return _Writer(evidence, plan).write()


class _Writer:
    """Writes one explanation."""

    def __init__(self, evidence: Evidence, plan: Plan) -> None:
        self.evidence = evidence
        self.domain = evidence.domain
        self.plan = plan
        self.chance = random.Random(evidence.seed)
        self.types = {s.titles[0]: s.value for s in evidence.statements if s.kind is Kind.HISTORY and s.value}
        self.named: set[str] = set()
        self.noun = self._noun()

    def write(self) -> list[Sentence]:
        chosen = [self.evidence.by_id(name) for name in self.plan.statements]
        groups = _grouped([s for s in chosen if s.kind in _OF_HISTORY and s.name != TITLE])
        rest = [s for s in chosen if s.kind not in _OF_HISTORY]
        lines = [*self._same_title(chosen), *self._shared(groups), *self._others(rest, first=not groups)]
        return [line.sentence() for line in lines] or [self._without_reasons().sentence()]

    def _same_title(self, statements: Sequence[Statement]) -> list[_Line]:
        """Return the sentence of a history item with the same title, such as the same dress in another colour."""
        same = [s for s in statements if s.kind is Kind.SHARED and s.name == TITLE]
        return [_Line().add(f"you {self.domain.did} ", *self._named(s), ", and this is another one.") for s in same]

    def _shared(self, groups: Sequence[_Group]) -> list[_Line]:
        if not groups:
            return []
        first = self._opening(groups[0])
        if len(groups) == 1:
            return [first]
        line = _Line()
        line.add(*(["it "] if self.chance.random() < 0.8 else self._this()))
        for place, group in enumerate(groups[1:3]):
            line.add(" and " if place else "")
            self._verbs(line, group.statements, also=not place)
            line.add(", " if place or len(groups) > 2 else self.chance.choice([", ", ", just "]))
            line.add("like ", *self._items(group))
            line.add("," if place == 0 and len(groups) > 2 else "")
        return [first, line.add(".")]

    def _opening(self, group: _Group) -> _Line:
        did = self.domain.did
        items = self._items(group)
        line = _Line()
        form = self.chance.randrange(5 if self.plan.tone != "warm" else 3)
        warm = self.plan.tone == "warm"
        if warm:
            enjoy = self.chance.random() < 0.5
            line.add(*(["You may enjoy this one: "] if enjoy else [*self._this(), "may suit you: "]))
        if form == 0:
            self._verb(line.add("like ", *items, f", which you {did}, it "), group)
        elif form == 1:
            line.add(f"you {did} ", *items, ", and ", *(["this "] if self.chance.random() < 0.5 else self._this()))
            self._verb(line, group)
            line.add(self.chance.choice([" too", " as well"]))
        elif form == 2:
            self._verb(line.add("it "), group)
            line.add(", like ", *items, f" that you {did}" if group.first.count == 1 else f", which you {did}")
        elif form == 3:
            self._verb(line.add(*self._this()), group)
            line.add(", just like ", *items, f", which you {did}")
        else:
            self._verb(line.add(f"because you {did} ", *items, ": this "), group)
            line.add(self.chance.choice([" too", " as well"]))
        return line.add(".")

    def _others(self, statements: Sequence[Statement], first: bool) -> list[_Line]:
        """Return the sentences of statements that stand alone; facts of the item come in one sentence."""
        lines = []
        facts = [s for s in statements if s.kind in (Kind.ATTRIBUTE, Kind.IMAGE)]
        if facts:
            line = _Line().add(*(self._this() if first else ["it "]))
            lines.append(self._verbs(line, facts).add("."))
        for statement in statements:
            name = [(quoted(title), statement.id) for title in statement.titles[:1]]
            if statement.kind is Kind.NEIGHBOUR:
                opening = self.chance.choice(["overall, it is close to ", "as a whole, it resembles "])
                lines.append(_Line().add(opening, *self._named(statement), "."))
            elif statement.kind is Kind.INFLUENCE:
                lines.append(_Line().add(f"of all that you {self.domain.did}, ", *name, " counts most for this."))
            elif statement.kind is Kind.SIGNAL:
                lines.append(_Line().add((statement.text[:-1].lower(), statement.id), "."))
        history = [s for s in statements if s.kind is Kind.HISTORY]
        if history:
            line = _Line().add("it comes from your history as a whole, most recently ")
            for place, statement in enumerate(history[:NAMED]):
                line.add(" and " if place else "", *self._named(statement))
            lines.insert(0, line.add("."))
        return lines

    def _without_reasons(self) -> _Line:
        return _Line("There is no history yet to compare it with.")

    def _this(self) -> list[str | tuple[str, str]]:
        """Return the recommended item as a subject: "this film "."""
        return ["this ", self.noun, " "]

    def _noun(self) -> tuple[str, str]:
        """Return what the item is called and the statement it rests on: its type where the text does not say it."""
        said = {self.evidence.by_id(name).value for name in self.plan.statements}
        for statement in self.evidence.statements:
            value = statement.value.lower()
            kind = kind_of(statement.name)
            is_noun = kind == "type" or (kind == "category" and value in self.evidence.title.lower())
            if is_noun and statement.kind in (Kind.SHARED, Kind.ATTRIBUTE) and is_countable(value):
                if statement.value not in said:
                    return with_article(value).removeprefix("an ").removeprefix("a "), statement.id
                break
        return self.domain.noun, ""

    def _verb(self, line: _Line, group: _Group) -> _Line:
        return self._verbs(line, group.statements)

    def _verbs(self, line: _Line, statements: Sequence[Statement], also: bool = False) -> _Line:
        """Append what is said of the item: "is a crime film and was directed by Ana Lopez"."""
        parts = _merged(statements, self.evidence)
        for place, (text, name) in enumerate(parts):
            line.add("" if not place else " and " if place == len(parts) - 1 else ", ")
            verb, _, rest = text.partition(" ")
            if also and not place and verb in ("is", "was"):
                line.add((verb, name), " also ", (rest, name))
            else:
                line.add("also " if also and not place else "", (text, name))
        return line

    def _items(self, group: _Group) -> list[str | tuple[str, str]]:
        """Return the history items of a group: titles and how many more there are."""
        statement = group.first
        titles = statement.titles[:NAMED]
        more = statement.count - len(titles)
        names: list[str | tuple[str, str]] = []
        for place, title in enumerate(titles):
            last = place == len(titles) - 1 and not more
            names += ["" if not place else " and " if last else ", ", (self._ref(title), statement.id)]
        if more:
            noun = self.domain.noun if more == 1 else self.domain.nouns
            names.append((f" and {'one' if more == 1 else more} more {noun}", statement.id))
        return names

    def _named(self, statement: Statement) -> list[str | tuple[str, str]]:
        return [(self._ref(title), statement.id) for title in statement.titles[:1]]

    def _ref(self, title: str) -> str:
        """Return a history item by its title, with its type where the title does not say it and it was not said."""
        sort = self.types.get(title, "").lower()
        new = title not in self.named
        self.named.add(title)
        if sort and new and is_countable(sort) and sort not in title.lower():
            return f"the {quoted(title)} {sort}"
        return quoted(title)


def _grouped(statements: Sequence[Statement]) -> list[_Group]:
    """Put statements that speak of the same items together, in the order of the plan."""
    groups: dict[tuple[tuple[str, ...], int], list[Statement]] = {}
    for statement in statements:
        groups.setdefault((statement.titles, statement.count), []).append(statement)
    return [_Group(tuple(group)) for group in groups.values()]


def _merged(statements: Sequence[Statement], evidence: Evidence) -> list[tuple[str, str]]:
    """Return (what is said, id) for each statement; genres and actors are said together."""
    said: list[tuple[str, str]] = []
    done: set[str] = set()
    for statement in statements:
        kind = kind_of(statement.name)
        if kind in ("genre", "actor") and statement.kind in (Kind.SHARED, Kind.ATTRIBUTE):
            if kind in done:
                continue
            done.add(kind)
            values = [s.value for s in statements if kind_of(s.name) == kind]
            said.append((_genres(values, evidence) if kind == "genre" else f"stars {joined(values)}", statement.id))
        else:
            said.append((_said_of(statement, evidence), statement.id))
    return said


def _genres(values: Sequence[str], evidence: Evidence) -> str:
    names = [value.lower() for value in values]
    adjectives = [name for name in names if name not in _NOUN_GENRES]
    nouns = [name.replace("-", " ") for name in names if name in _NOUN_GENRES]
    if nouns and evidence.domain.noun == "film" and len(adjectives) <= 1 and len(nouns) == 1:
        return f"is {with_article(' '.join([*adjectives, *nouns]))}"
    return f"is {with_article(joined(names))} {evidence.domain.noun}"


def _said_of(statement: Statement, evidence: Evidence) -> str:
    """Return what one statement says of the recommended item, as the part of a sentence after "it"."""
    kind = kind_of(statement.name)
    if statement.kind in (Kind.SHARED_IMAGE, Kind.IMAGE):
        shows = f"shows {statement.value} on its {evidence.domain.image}"
        return shows if " " in statement.value else f"is {statement.value} in its {evidence.domain.image}"
    if statement.kind is Kind.KEYWORD:
        return f"has the word “{statement.value}” in its description"
    value = shown_value(kind, statement.value)
    title = evidence.title.casefold()
    if kind == "category":
        noun = value.lower()
        named = noun in title and is_countable(noun)
        return f"is {with_article(noun)}" if named else f"belongs to {statement.value}"
    forms = {
        "brand": f"is by {value}", "colour": f"is {value}", "material": f"is made of {value}",
        "director": f"was directed by {value}", "author": f"was written by {value}", "artist": f"is by {value}",
        "year": f"is from {value}", "price": f"costs {value}", "collection": f"is from the {value} collection",
        "country": f"comes from {value}", "size": f"comes in size {value}", "section": f"is from {value}",
    }  # fmt: skip
    if kind in forms:
        return forms[kind]
    if kind == "type":
        return f"is {with_article(value)}" if is_countable(value) else f"belongs to {value}"
    if kind == "pattern":
        bare = value.removesuffix(" pattern")
        return "is in one plain colour" if bare == "solid" else f"has {with_article(bare)} pattern"
    return f"has the {plain_name(statement.name)} {value}"
