"""References that the verifier understands: facts by their names, the recommended item, history items, the history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mmrec.explain.facts import MAKERS
from mmrec.explain.verify.lexicon import Lexicon
from mmrec.explain.verify.matching import Matcher, Rule
from mmrec.explain.verify.meaning import Amount, Ref, Said, Sort, holds_of
from mmrec.explain.verify.tokens import Token, match_form
from mmrec.explain.verify.wording import phrases, phrases_of, templates

_WORN = frozenset({"material", "pattern", "section", "size"})
"""Kinds of facts that only a catalogue of clothes has."""
COUNTS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
ALSO = phrases("too")
NOT_PLAIN = frozenset({"text", "image", "noun", "word", "topic"})
"""Kinds of facts that are read only where their kind is asked for."""
_ADJECTIVES = frozenset({
    "brand", "label", "developer", "publisher", "colour", "material", "genre", "pattern", "year", "type", "category",
    "collection", "quality", "language", "country", "topic", "platform",
})  # fmt: skip
_NOUNS = frozenset({"type", "category", "genre", "noun"})
_JOINED = phrases("between items")
_BEFORE = "before|earlier|in the past|already?"
_OF_EACH = {1: "?", 2: "both?"}


class References(Matcher, ABC):
    """Rules of references.

    Args:
        tokens: the tokens of a sentence.
        lexicon: the forms of the statements.
        mentioned: history titles of the sentences before, for "they" and "both".
    """

    def __init__(self, tokens: list[Token], lexicon: Lexicon, mentioned: frozenset[str] = frozenset()) -> None:
        super().__init__(tokens, lexicon)
        self.mentioned = mentioned
        sorts = _sorts(lexicon)
        self.nouns = "|".join(filter(None, (phrases_of("nouns", sort) for sort in sorts)))
        done = "|".join(filter(None, (phrases_of("done", sort) for sort in sorts))).split("|")
        owns = ["own", "already own"] if "bought" in sorts else []
        have = [f"{have} {more}{verb}" for have in ("have", "ve") for more in ("", "already ") for verb in done]
        self.had = "|".join([*done, "have", "already have", *owns, *have])
        self.rules |= {"nouns": self._words_of(self.nouns), "had": self._words_of(self.had), "count": self.count}

    def _words_of(self, pattern: str) -> Rule:
        return lambda start: [(end, None) for end in self.words(start, pattern)]

    # Rules of other files that references are made of.

    @abstractmethod
    def described(self, start: int) -> Iterable[tuple[int, Said]]:
        """Read a noun phrase that describes."""

    @abstractmethod
    def addition(self, start: int) -> Iterable[tuple[int, Said]]:
        """Read a phrase with a preposition."""

    @abstractmethod
    def predicate(self, start: int) -> Iterable[tuple[int, Said]]:
        """Read what follows a subject."""

    @abstractmethod
    def made_by(self, start: int) -> Iterable[tuple[int, Said]]:
        """Read a maker with a verb: "Ana Lopez directed"."""

    @abstractmethod
    def described_words(self, start: int) -> Iterable[tuple[int, Said]]:
        """Read words of the item's description."""

    # Facts.

    def value(self, start: int, kinds: frozenset[str] | None = None) -> Iterator[tuple[int, Said]]:
        """Read one fact, with the noun of its kind before or after it: "crime", "the brand OPI", "dark blue colour"."""
        for place in self.words(start, "the|a|an|its?"):
            for end, said in self.bare_value(place, kinds):
                yield end, said
                yield from ((last, said) for last in self._known_apposition(end, said))
            for middle, named in ((m, k) for end, k in self.kind_noun(place) for m in self.words(end, ",|of?")):
                wanted = named if kinds is None else named & kinds
                yield from self.bare_value(middle, wanted)
                comma = [end for known in self.words(middle, phrases("known")) for end in self.words(known, ",")]
                for after, said in (found for end in comma for found in self.bare_value(end, wanted)):
                    if all(self.lexicon.counts[value] for value in said.values):
                        yield after, said

    def _known_apposition(self, start: int, said: Said) -> Iterator[int]:
        """Read ", a brand you know", after a fact of the history."""
        value = said.values[0]
        for end, (sort,) in self.seq(start, ",", "a|an", self.sort) if self.lexicon.counts[value] else ():
            for last in self.words(end, phrases("known")) if value.kind in sort.kinds else ():
                yield from self.words(last, ",?")

    def bare_value(self, start: int, kinds: frozenset[str] | None) -> Iterator[tuple[int, Said]]:
        """Read one fact without an article."""
        for end, entry in self.entries(start):
            value = entry.value
            if value is None or (value.kind in NOT_PLAIN if kinds is None else value.kind not in kinds):
                continue
            said = Said((value,), marks=((start, end, self.lexicon.names[value]),))
            yield end, said
            for after, named in self.kind_noun(end):
                if value.kind in named:
                    yield after, said

    def of_kind(self, *kinds: str) -> Rule:
        """Return the rule that reads one fact of some kinds."""
        wanted = frozenset(kinds)
        return lambda start: self.value(start, wanted)

    def facts(self, *kinds: str) -> Rule:
        """Return the rule that reads one or more facts of some kinds."""
        one = self.of_kind(*kinds)
        return lambda start: self.listed(start, one)

    def listed(self, start: int, rule: Rule, joined: str = "and|, and|,|& ") -> Iterator[tuple[int, Said]]:
        """Read one or more things of a rule: "a, b and c", "both a and b"."""
        for begin in self.words(start, "both?"):
            for end, first in rule(begin):
                if begin == start:
                    yield end, first
                for place in self.words(end, joined):
                    for last, others in self.listed(place, rule, joined):
                        yield last, first | others

    def adjectives(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read facts before a noun, perhaps none."""
        yield from self.once("adjectives", start, self._adjectives)

    def _adjectives(self, start: int) -> Iterator[tuple[int, Said]]:
        yield start, Said()
        for end, first in self.bare_value(start, _ADJECTIVES):
            for place in self.words(end, ",|and?"):
                for last, others in self.adjectives(place):
                    if last > place or place == end:
                        yield last, first | others

    def noun(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a noun: a general one, or a fact that is one."""
        for end in self.words(start, self.nouns):
            yield end, Said()
        yield from self.bare_value(start, _NOUNS)

    def sort(self, start: int) -> Iterator[tuple[int, Sort]]:
        """Read the noun of a kind of fact; the plural means all facts of the kind: "its genres"."""
        for end, kinds in self.kind_noun(start):
            last = self.tokens[end - 1].key
            yield end, Sort(kinds, every=last.endswith("s") and not last.endswith("ss"))

    def _key(self, start: int, end: int) -> tuple[str, ...]:
        return tuple(token.key for token in self.tokens[start:end])

    # The recommended item.

    def own(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to the recommended item: "it", "this crime film", "Ana Lopez's The Long Shadow"."""
        yield from self.once("own", start, self._own)

    def _own(self, start: int) -> Iterator[tuple[int, Ref]]:
        plural = self.lexicon.plural or not self.before(start)
        for end in self.words(start, "it|this|they|these|this one" if plural else "it|this|these|this one"):
            yield end, Ref(own=True)
        for end, (said, noun) in self.seq(start, "this|these|the", "pair of?", self.adjectives, self.noun):
            ref = Ref(True, marks=said.marks + noun.marks)  # the lexicon has no fact that is not the item's own
            if self.tokens[start].key != "the" or not self._ends_in_title(start, end):
                yield from self._own_with_additions(end, ref)
        for place in self.words(start, "the|this?"):
            for end, entry in self.entries(place):
                if entry.title == "" and (entry.whole or place > start):
                    yield from self._own_with_additions(end, Ref(own=True))
        for end, (said,) in self.seq(start, self.of_kind(*MAKERS), "s?"):
            for after, entry in self.entries(end) if self._is_possessive(end) else ():
                if entry.title == "":
                    yield after, Ref(True, marks=said.marks)

    def _ends_in_title(self, start: int, end: int) -> bool:
        """Return whether words end in the whole title of a history item: "the strap top"."""
        found = (pair for place in range(start, end) for pair in self.entries(place))
        return any(last == end and bool(entry.title) and entry.whole for last, entry in found)

    def _own_with_additions(self, start: int, ref: Ref) -> Iterator[tuple[int, Ref]]:
        """Read what may follow a name of the item: "by Ana Lopez from 1997", ", a crime film,", ", which is ...,"."""
        yield start, ref
        for end, more in self.addition(start):
            if holds_of(Ref(own=True), more, self.lexicon):
                yield from self._own_with_additions(end, replace(ref, marks=ref.marks + more.marks))
        for end, (said,) in (*self.seq(start, ",", self.described), *self.seq(start, ",", "which|that", self.made_by)):
            for last in self.words(end, ",?"):
                if holds_of(Ref(own=True), said, self.lexicon):
                    yield last, Ref(True, marks=said.marks)

    def _is_possessive(self, end: int) -> bool:
        """Return whether the word before a place is the "s" of a possessive, or ends in one ("Games'")."""
        return end > 0 and self.tokens[end - 1].key == "s"

    # Items of the history.

    def named(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read the title of one history item, perhaps with "which you watched" or "from your history"."""
        yield from self.once("named", start, self._named_item)

    def _named_item(self, start: int) -> Iterator[tuple[int, Ref]]:
        for place in self.words(start, f"a|an|the|your|that|{phrases('purchases')}?"):
            for begin, end, title, whole in self._titles_at(place):
                article = begin == place > start and self.tokens[start].key in ("a", "an")
                if not (whole or place > start) or (article and not self.lexicon.titles_alone):
                    continue
                ref = Ref(titles=frozenset({title}), marks=((begin, end, self.lexicon.history[title]),))
                for after in (end, *self._sort_of(end, title)):
                    yield after, ref
                    for last in self._of_user_history(after):
                        yield last, ref
        for end, (said,) in self.seq(start, self.of_kind(*MAKERS), "s"):
            for after, ref in self.titled(end):
                if holds_of(ref, said, self.lexicon):
                    yield after, replace(ref, marks=said.marks + ref.marks)

    def _titles_at(self, start: int) -> Iterator[tuple[int, int, str, bool]]:
        """Yield (first place, place after, title, whether it is whole) of history items: "the T-shirt Basic tee"."""
        for end, entry in self.entries(start):
            if entry.title:
                yield start, end, entry.title, entry.whole
        for title in self.lexicon.sorts:
            for place in (place for end in self._sort_of(start, title) for place in self.words(end, "called|named?")):
                yield from ((place, end, title, True) for end, entry in self.entries(place) if entry.title == title)

    def titled(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read the title of a history item, without an article: "whose cotton shoes you bought"."""
        for begin, end, title, _ in self._titles_at(start):
            yield end, Ref(titles=frozenset({title}), marks=((begin, end, self.lexicon.history[title]),))

    def _sort_of(self, start: int, title: str) -> Iterable[int]:
        for form in self.lexicon.sorts.get(title, ()):
            end = match_form(self.tokens, start, form)
            if end is not None:
                yield end

    def _of_user_history(self, start: int) -> Iterator[int]:
        """Read "which you watched before", "from your history"."""
        for end, _ in self.seq(
            start,
            ",?",
            "which|that|whom|both of which|all of which?",
            "you",
            self.had,
            _BEFORE,
            ",?",
        ):
            yield end
        for end, _ in self.seq(start, ",?", "both?", "in|from|among", self.history, ",?"):
            yield end
        for end, _ in self.seq(start, ",?", "one of|two of|both of|both from", self.history, ",?"):
            yield end
        for end, _ in self.seq(start, ",?", self._had_noun, "that|which|of the ones?", "you", self.had, _BEFORE, ",?"):
            yield end

    def _had_noun(self, start: int) -> Iterator[tuple[int, None]]:
        """Read "a book", "another game", "one of the items", "films"."""
        for place in self.words(start, "a|an|another|one of the|two|two of the|both|all?"):
            for end in self.words(place, self.nouns):
                yield end, None

    def relative(self, start: int, ref: Ref) -> Iterator[tuple[int, Ref]]:
        """Read what is said of the items of a reference, of each of them: "by Ana Lopez", ", both crime films"."""
        for end, said in self.seq_of(start, ", also|also?", self.addition):
            if holds_of(ref, said, self.lexicon):
                yield end, replace(ref, marks=ref.marks + said.marks)
                for after, _ in self.seq(end, "that|which?", "you", self.had):
                    yield after, replace(ref, marks=ref.marks + said.marks)
        each = "each of which|all of which" + ("|both of which" if ref.size == 2 else "")
        for end, (said,) in self.seq(start, ",?", f"which|that|who|{each}", self.predicate):
            if holds_of(ref, said.with_object(Ref(own=True)), self.lexicon):
                for after in self.words(end, ",?"):
                    yield after, replace(ref, marks=ref.marks + said.marks)
        for end, (said,) in self.seq(start, ",?", "which|that|whom", self.made_by):
            if holds_of(ref, said, self.lexicon):
                yield end, replace(ref, marks=ref.marks + said.marks)
        for end, (said,) in self.seq(
            start,
            ",?",
            "whose description",
            f"{ALSO}?",
            f"{phrases('verbs of texts')}|shares",
            "the word|the words",
            self.described_words,
        ):
            if holds_of(ref, said, self.lexicon):
                for last in (end, *self.after(end, "with", self.own)):
                    yield last, replace(ref, marks=ref.marks + said.marks)
        for middle, (count,) in self.seq(start, ",", self.count):
            for end, said in self.described(middle) if count == ref.size else ():
                if holds_of(ref, said, self.lexicon):
                    yield end, replace(ref, marks=ref.marks + said.marks)
        for end, (said,) in self.seq(start, ",", _OF_EACH.get(ref.size, "all?"), self.described):
            if holds_of(ref, said, self.lexicon):
                for after in (*self.words(end, ",?"), *self.after(end, "that|which?", "you", self.had, _BEFORE, ",?")):
                    yield after, replace(ref, marks=ref.marks + said.marks)
        for end in self.after(start, ",", "a|an|the|another") if len(ref.titles) == ref.size == 1 else ():
            for after in self._sort_of(end, min(ref.titles)):
                for last in (*self.words(after, ",?"), *self.after(after, "that|which?", "you", self.had, ",?")):
                    yield last, ref

    def items(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to history items: one, a list, or "two films you watched"."""
        yield from self.once("items", start, self._items)

    def _items(self, start: int) -> Iterator[tuple[int, Ref]]:
        for place in self.words(start, "both?"):
            for end, ref in self._list_of(place, self.named):
                yield end, ref
                if ref.size > 1:
                    yield from self.relative(end, ref)
                for after, count in self._more(end):
                    larger = replace(ref, more=count)
                    yield after, larger
                    yield from self.relative(after, larger)
        yield from self.counted(start)
        yield from self._pronoun(start)

    def counted(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a number of history items that are not named: "2 films that you watched"."""
        for end, count in self.count(start):
            for after, _ in self.seq(end, self.nouns, "that|which?", "you", self.had):
                yield after, Ref(more=count)

    def _pronoun(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read "it" or "them" for the history items mentioned before."""
        before = self.before(start)
        several = "them|those" + (f"|{phrases('both')}" if len(before) == 2 else "")
        for place in self.words(start, "it|that one|that" if len(before) == 1 else several) if before else ():
            for end in self.words(place, self.nouns + "?"):
                if end > place or self.tokens[place - 1].key != "that":
                    yield end, Ref(titles=before)

    def objects(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to any items that is not a subject, so that "it" may be a history item."""
        yield from self.everything(start)
        yield from self._pronoun(start)

    def _more(self, start: int) -> Iterator[tuple[int, int]]:
        """Read how many further items there are: "and 3 more films", "and 3 others"."""
        for place in self.words(start, "and|, and"):
            for middle, count in self.count(place):
                for end, _ in self.seq(middle, "more", f"{self.nouns}?"):
                    yield end, count
                for end in self.words(middle, "other|others"):
                    yield end, count

    def count(self, start: int) -> Iterator[tuple[int, int]]:
        """Read a number of items."""
        key = self.tokens[start].key if start < len(self.tokens) else ""
        count = int(key) if key.isdecimal() else COUNTS.get(key, 0)
        if count:
            yield start + 1, count

    # Both.

    def everything(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to any items, the recommended one among them or not."""
        yield from self.once("everything", start, self._everything)

    def _everything(self, start: int) -> Iterator[tuple[int, Ref]]:
        for place in self.words(start, "both?"):
            yield from self._list_of(place, lambda at: [*self.own(at), *self.named(at)])
        before = self.before(start)
        pronouns = "both|they|these|both of them|the two|the two of them|all three|all of them|each of them"
        for end, (said,) in self.seq(start, pronouns, self._optional_noun):
            keys = self._key(start, end)
            size = 3 if "three" in keys else 2 if keys[0] == "both" or "two" in keys else 0
            for own in (True, False):
                if before and own + len(before) > 1 and size in (0, own + len(before)):
                    yield end, Ref(own, before, said.values, said.marks)

    def _optional_noun(self, start: int) -> Iterator[tuple[int, Said]]:
        yield start, Said()
        yield from self.noun(start)

    def _list_of(self, start: int, bare: Rule, said: bool = True) -> Iterator[tuple[int, Ref]]:
        """Read one or more items: "A, B and C".

        What is said of the last item alone would be read as said of all ("A and B, both striped"), so that an item
        after one of which nothing is said has nothing said of it either.
        """
        for end, first, told in (*((e, r, False) for e, r in bare(start)), *self._told(start, said)):
            yield end, first
            for place in self.words(end, _JOINED):
                for last, others in self._list_of(place, bare, said and told):
                    yield last, first | others

    def _told(self, start: int, said: bool) -> Iterator[tuple[int, Ref, bool]]:
        """Read a history item with what is said of it."""
        for end, ref in self.named(start) if said else ():
            for after, whole in self.relative(end, ref):
                yield after, whole, True

    def before(self, start: int) -> frozenset[str]:
        """Return the history titles mentioned before a place, in this sentence if there are any."""
        return frozenset(title for _, title in self.mentions(0, start)) or self.mentioned

    def mentions(self, start: int, end: int) -> list[tuple[int, str]]:
        """Return (place after, title) of the history items that are named between two places."""
        return [
            (last, entry.title)
            for place in range(start, end)
            for last, entry in self.entries(place)
            if entry.title and last <= end and (entry.whole or self.tokens[place - 1].key in ("the", "your"))
        ]

    # The history as a whole.

    def history(self, start: int) -> Iterator[tuple[int, bool]]:
        """Read a name of the whole history; a number in it must be its size: "the four films you watched"."""
        yield from self.once("history", start, self._history)

    def _history(self, start: int) -> Iterator[tuple[int, bool]]:
        for parts in templates("history"):
            for end, meanings in self.template(start, parts):
                if all(count in (None, self.lexicon.total) for count in meanings):
                    yield end, True

    def amount(self, start: int) -> Iterator[tuple[int, Amount]]:
        """Read how many items of the history: "two of the films you watched", "all three items in your history"."""
        yield from self.once("amount", start, self._amount)

    def _amount(self, start: int) -> Iterator[tuple[int, Amount]]:
        total = self.lexicon.total
        for phrase, amount in self._amounts():
            for place in self.words(start, phrase):
                for end, _ in self.seq(place, "of", self.history):
                    yield end, amount
        for end, (count, _) in self.seq(start, self.count, "of", self.history):
            yield end, Amount(count, count)
        for end, (count, _) in self.seq(start, self.count, self._words_of(self.nouns), "that|which?", "you", self.had):
            yield end, Amount(count, count)
        for end, (count, *_) in self.seq(start, self.count, self._words_of(self.nouns), "in|from", self.history):
            yield end, Amount(count, count)
        for place in self.words(start, "all|all of|all the"):
            if total:
                for end, _ in self.history(place):
                    yield end, Amount(total, total)
        for place in self.words(start, "both"):
            for end, _ in self.history(place) if total == 2 else ():
                yield end, Amount(2, 2)

    def _amounts(self) -> Iterator[tuple[str, Amount]]:
        total = self.lexicon.total
        yield "some|a few|a couple", Amount(2)
        yield "several", Amount(3)
        if total:
            yield "all|each|every one", Amount(total, total)
            yield "most", Amount(total // 2 + 1)
            if total % 2 == 0:
                yield "half", Amount(total // 2, total // 2)
        if total == 2:
            yield "both", Amount(2, 2)

    def holders(self, said: Said) -> tuple[frozenset[str], int, bool]:
        """Return the history items of which something holds: their titles, their number, and whether these are all.

        Facts are counted among all items of the history, what is seen by the titles alone among the newest ones.
        """
        titles = frozenset(t for t in self.lexicon.history if holds_of(Ref(titles=frozenset({t})), said, self.lexicon))
        if len(said.values) == 1 and not said.same and said.values[0].kind not in NOT_PLAIN:
            return titles, self.lexicon.counts[said.values[0]], self.lexicon.total > 0
        return titles, len(titles), self.lexicon.complete

    def is_amount(self, amount: Amount, said: Said) -> bool:
        """Return whether something holds of so many items of the history."""
        _, count, complete = self.holders(said)
        return amount.least <= count and (amount.most is None or (complete and count <= amount.most))


def _sorts(lexicon: Lexicon) -> list[str]:
    """Return what the items of a catalogue may be called: by its kinds of facts, or by the words of its domain."""
    kinds = {value.kind for value in lexicon.names}
    domain = lexicon.evidence.domain
    sorts = ["*", domain.did, domain.noun]
    if kinds & _WORN:
        sorts.append("worn")
    if lexicon.titles_alone:
        sorts += ["video", "watched"]
    return sorts
