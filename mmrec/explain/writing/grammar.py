"""The grammar: statements to one or two sentences.

It writes the explanations of `grounded` plans and, without a language model, of the default plan. What it says
is made of statements alone; wordings vary with the user and the item.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmrec.explain.facts import kind_of
from mmrec.explain.names import PAIR, is_countable, quoted, shown_title
from mmrec.explain.statements import TITLE, TITLE_WORD, Evidence, Kind, Statement
from mmrec.explain.writing.phrases import (
    MAKERS,
    Part,
    bare_noun,
    is_maker,
    is_noun,
    listed,
    noun_phrase,
    predicates,
)  # fmt: skip
from mmrec.explain.writing.plan import NAMED, Plan, influential, joins_for, named_of

_OF_HISTORY = frozenset({Kind.SHARED, Kind.SHARED_IMAGE, Kind.KEYWORD})
PLURAL = {"is": "are", "was": "were", "has": "have"}


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

    def add(self, *parts: Part) -> _Line:
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
    """Statements that are said together of the same history items.

    Args:
        statements: the statements.
        titles: history items that all of them speak of, those that count most first.
        count: number of these items, those without a place in `titles` included.
    """

    statements: tuple[Statement, ...]
    titles: tuple[str, ...]
    count: int

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
        self.influence = influential(evidence)
        self.noun = self._noun()
        self.pair = self.noun[0].startswith(PAIR)

    def write(self) -> list[Sentence]:
        chosen = [self.evidence.by_id(name) for name in self.plan.statements]
        same = {title for s in chosen if s.name == TITLE for title in s.titles}
        shared = [s for s in chosen if s.kind in _OF_HISTORY and s.name != TITLE]
        shared = [s for s in shared if not s.titles or not same.issuperset(s.titles)]
        if same:  # "this is another one" has said what it is
            shared = [s for s in shared if not is_noun(s, self.evidence)]
        rest = [s for s in chosen if s.kind not in _OF_HISTORY]
        lines = self._same_title(chosen)
        for group in sorted(_grouped(shared, self.evidence), key=self._order):
            lines.append(self._opening(group) if not lines else self._further(group))
        lines += self._others(rest, first=not lines)
        return [line.sentence() for line in lines] or [self._without_reasons().sentence()]

    def _same_title(self, statements: Sequence[Statement]) -> list[_Line]:
        """Return the sentence of a history item with the same title, such as the same dress in another colour."""
        same = [s for s in statements if s.kind is Kind.SHARED and s.name == TITLE]
        return [_Line().add(f"you {self.domain.did} ", *self._named(s), ", and this is another one.") for s in same[:1]]

    def _order(self, group: _Group) -> int:
        """Return the place of a group: first what the item is, then other facts, images and words at the end."""
        if any(is_noun(s, self.evidence) or kind_of(s.name) == "genre" for s in group.statements):
            return 0
        return 1 if group.first.kind is Kind.SHARED else 2

    # The first sentence of a reason.

    def _opening(self, group: _Group) -> _Line:
        phrase = noun_phrase(group.statements, self.evidence)
        if phrase is not None and (self._order(group) == 0 or (not self.noun[1] and self.chance.random() < 0.5)):
            return self._another(group, phrase)
        return self._as_well(group)

    def _another(self, group: _Group, phrase: list[Part]) -> _Line:
        """Return "You bought A and B; here is another satin shirt", the item as one more of its sort."""
        did, line, items = self.domain.did, _Line(), self._items(group, phrase)
        form = self.chance.randrange(5)
        if not group.titles:
            return line.add("another ", *phrase, ", like ", *items, ".")
        if self.plan.tone == "warm" or form == 0:
            enjoy = self.chance.choice(["like", "enjoy"])
            line.add(f"since you {did} ", *items, f", you may {enjoy} another ", *phrase)
        elif form == 1:
            line.add(f"you {did} ", *items, "; here is another ", *phrase)
        elif form == 2:
            line.add(f"you {did} ", *items, ", and this is another ", *phrase)
        elif form == 3:
            line.add("another ", *phrase, ", like ", *items, f", which you {did}")
        else:
            line.add("here is another ", *phrase, ", like ", *items, f", which you {did}")
        return line.add(".")

    def _as_well(self, group: _Group) -> _Line:
        """Return "This shirt is by Miro, like A and B, which you bought", what the item has in common with others."""
        did, line = self.domain.did, _Line()
        items, seen = self._items(group), f", which you {self.domain.did}" if group.titles else ""
        if group.titles and is_maker(group.statements) and self.chance.random() < 0.7:
            also = MAKERS[kind_of(group.first.name)][1]
            self._verbs(line.add(*self._this()), group.statements)
            return line.add(f", {also} ", *items, "" if also.startswith("whom you") else seen, ".")
        if group.first.kind is not Kind.SHARED:
            return self._of_image(group, items, self._this(), seen)
        form = self.chance.randrange(4 if self.plan.tone == "plain" else 2)
        if not group.titles:
            return self._verbs(line.add(*self._this()), group.statements).add(", like ", *items, ".")
        if form == 0:
            self._verbs(line.add(f"you {did} ", *items, ", and ", *self._this()), group.statements)
            line.add(self.chance.choice([" too", " as well"]))
        elif form == 1:
            self._verbs(line.add("like ", *items, f"{seen}, ", *self._this()), group.statements)
        else:
            self._verbs(line.add(*self._this()), group.statements)
            line.add(self.chance.choice([", like ", ", just like "]), *items, seen)
        return line.add(".")

    # Further sentences.

    def _further(self, group: _Group) -> _Line:
        """Return the sentence of a further reason: "It is also by Miro, like C and 3 others."."""
        items = self._items(group, again=True)
        if group.first.kind is not Kind.SHARED:
            return self._of_image(group, items)
        line = self._verbs(_Line().add(*self._it()), group.statements, also=True)
        if group.titles and is_maker(group.statements):
            return line.add(f", {MAKERS[kind_of(group.first.name)][1]} ", *items, ".")
        return line.add(", like ", *items, ".")

    def _of_image(self, group: _Group, items: Sequence[Part], of: Sequence[Part] = (), ending: str = "") -> _Line:
        """Return "Its photo is blue, like that of A."; words of the description are said in the same way."""
        words = group.first.kind is Kind.KEYWORD
        what = self.domain.image if not words else "title" if group.first.name == TITLE_WORD else "description"
        line = _Line().add(*([f"the {what} of ", *of] if of else [self._its(), what, " "]))
        if words:
            word = "word" if len(group.statements) == 1 else "words"
            line.add(f"has the {word} " if what == "title" else "mentions ")
        for place, statement in enumerate(group.statements):
            line.add(" and " if place else "")
            line.add((f"“{statement.value}”" if words else _shown(statement.value, place), statement.id))
        several = sum(not isinstance(item, str) for item in items) > 1 or (group.count > 1 and not group.titles)
        return line.add(f", like {'those' if several else 'that'} of ", *items, ending, ".")

    def _others(self, statements: Sequence[Statement], first: bool) -> list[_Line]:
        """Return the sentences of statements that stand alone; facts of the item come in one sentence."""
        lines = []
        history = [s for s in statements if s.kind is Kind.HISTORY][:NAMED]
        if history and self.evidence.history_read:
            line = _Line().add(
                *(self._this() if first else self._it()),
                "go" if self.pair else "goes",
                " with your history as a whole, such as ",
            )
            first = False
            lines.append(line.add(*self._all_named(history), "."))
        neighbours = [s for s in statements if s.kind is Kind.NEIGHBOUR]
        if neighbours:
            subject = self._this() if first else self._it()
            verb = "resemble " if self.pair else "resembles "
            named = [(self._ref(s.titles[0]), s.id) for s in neighbours]
            lines.append(_Line().add("overall, ", *subject, verb, *listed(named), "."))
            first = False
        facts = [s for s in statements if s.kind is Kind.ATTRIBUTE]
        images = [s for s in statements if s.kind is Kind.IMAGE]
        if facts:
            lines.append(self._verbs(_Line().add(*(self._this() if first else self._it())), facts).add("."))
        if images:
            line = _Line().add(self._its(), self.domain.image, " ")
            for place, statement in enumerate(images):
                line.add(" and " if place else "", (_shown(statement.value, place), statement.id))
            lines.append(line.add("."))
        if history and not self.evidence.history_read:  # last, because "it" would be an item of the history after it
            lines.append(_Line().add(f"you {self.domain.did} ", *self._all_named(history), "."))
        for statement in statements:
            if statement.kind is Kind.INFLUENCE:
                lines.append(self._influence(statement))
            elif statement.kind is Kind.SIGNAL:
                lines.append(_Line().add((statement.text[:-1].lower(), statement.id), "."))
        return lines

    def _influence(self, statement: Statement) -> _Line:
        """Return the sentence of the items that count most; those that were named before are not named again.

        Where only the newest items were measured, the sentence says so and names all that count most.
        """
        did, line = self.domain.did, _Line()
        last = statement.value
        titles = [title for title in statement.titles if last or title not in self.named]
        again = len(titles) < len(statement.titles)
        refs = listed([(self._ref(title), statement.id) for title in titles or statement.titles])
        if again and titles:
            return line.add(*refs, f", which you {did}, played a large part in this choice as well.")
        if last or self.chance.random() < 0.5:
            count = "counts" if len(statement.titles) == 1 else "count"
            scope = f"the last {last} {self.domain.nouns}" if last else "all"
            return line.add(f"of {scope} that you {did}, ", *refs, f" {count} most for this.")
        return line.add(*refs, f", which you {did}, played the largest part in this choice.")

    def _without_reasons(self) -> _Line:
        return _Line("No recorded fact explains this choice.")

    # Parts of sentences.

    def _this(self) -> list[Part]:
        """Return the recommended item as a subject: "this film ", "these trousers "."""
        noun, statement = self.noun
        return ["these " if self.pair else "this ", (noun.removeprefix(PAIR), statement), " "]

    def _it(self) -> list[Part]:
        return ["they " if self.pair else "it "]

    def _its(self) -> str:
        return "their " if self.pair else "its "

    def _noun(self) -> tuple[str, str]:
        """Return what the item is called and the statement it rests on: its type where the text does not say it."""
        said = {self.evidence.by_id(name).value for name in self.plan.statements}
        for statement in self.evidence.statements:
            if is_noun(statement, self.evidence):
                if statement.value not in said:
                    return bare_noun(statement.value), statement.id
                break
        return self.domain.noun, ""

    def _verbs(self, line: _Line, statements: Sequence[Statement], also: bool = False) -> _Line:
        """Append what is said of the item: "is a crime film and was directed by Ana Lopez"."""
        parts = predicates(statements, self.evidence)
        for place, (text, name) in enumerate(parts):
            line.add("" if not place else " and " if place == len(parts) - 1 else ", ")
            verb, _, rest = text.partition(" ")
            if place and verb == "is" and parts[place - 1][0].startswith("is ") and rest.startswith(("by ", "from ")):
                line.add((rest, name))
                continue
            if self.pair:
                verb = PLURAL.get(verb, verb.removesuffix("s"))
                text = f"{verb} {rest}"
            if also and not place and verb in ("is", "was", "are", "were"):
                line.add((verb, name), " also ", (rest, name))
            else:
                line.add("also " if also and not place else "", (text, name))
        return line

    def _items(self, group: _Group, phrase: Sequence[Part] = (), again: bool = False) -> list[Part]:
        """Return the history items of a group: titles, or their number if none has a title.

        Args:
            group: the statements.
            phrase: noun phrase of the same sentence; a type that it says is left out of the references.
            again: whether items were named before: those that were not come first.
        """
        statement = group.first
        titles = list(group.titles)
        if again:
            titles.sort(key=lambda title: title in self.named)
        titles = _distinct(named_of(titles, self.evidence))
        if not titles:
            return [self._counted(group)]
        if again and titles[0] not in self.named:
            titles = [title for title in titles if title not in self.named]
        said = " ".join(part if isinstance(part, str) else part[0] for part in phrase)
        return listed([(self._ref(title, said), statement.id) for title in titles])

    def _counted(self, group: _Group) -> tuple[str, str]:
        number, noun = ("one", self.domain.noun) if group.count == 1 else (group.count, self.domain.nouns)
        return f"{number} {noun} that you {self.domain.did}", group.first.id

    def _named(self, statement: Statement) -> list[Part]:
        return [(self._ref(title), statement.id) for title in statement.titles[:1]]

    def _all_named(self, statements: Sequence[Statement]) -> list[Part]:
        return listed([(self._ref(s.titles[0]), s.id) for s in statements])

    def _ref(self, title: str, said: str = "") -> str:
        """Return a history item by its title, with its type where neither title nor text say it."""
        sort = self.types.get(title, "").lower()
        new = title not in self.named
        self.named.add(title)
        if sort and new and is_countable(sort) and sort not in title.lower() and sort not in said:
            return f"the {quoted(title)} {sort.replace('t-shirt', 'T-shirt')}"
        return quoted(title)


def _distinct(titles: Sequence[str]) -> list[str]:
    """Return titles without those that readers see as an earlier one: "Sorrel" and "Sorrel (1)"."""
    return list({shown_title(title): title for title in reversed(titles)}.values())[::-1]


def _shown(theme: str, place: int) -> str:
    """Return what an image is said to show: "shows a city at night", "is blue"."""
    verb = "shows" if " " in theme else "is"
    return theme if place else f"{verb} {theme}"


def _grouped(statements: Sequence[Statement], evidence: Evidence) -> list[_Group]:
    """Put statements together that speak of the same items, or of one item that counts most for both.

    The second kind is said of the items that have both facts: "another romantic comedy, like A". Items without a title
    are only counted, so that it is not known whether they are the same.
    """
    groups: list[_Group] = []
    for statement in statements:
        for place, group in enumerate(groups):
            together = (*group.statements, statement)
            common = tuple(title for title in group.titles if title in statement.titles)
            common = tuple(named_of(common, evidence))
            if group.first.kind is not statement.kind:
                continue
            if group.titles and (statement.titles, statement.count) == (group.titles, group.count):
                groups[place] = _Group(together, group.titles, group.count)
                break
            if joins_for(group.first, statement, evidence) and noun_phrase(together, evidence) is not None:
                groups[place] = _Group(together, common, len(common))
                break
        else:
            groups.append(_Group((statement,), statement.titles, statement.count))
    return groups
