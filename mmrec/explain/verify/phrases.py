"""Phrases that the verifier understands: references to items, facts, and what is said of items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mmrec.explain.verify.lexicon import Lexicon, Value
from mmrec.explain.verify.matching import Matcher, Rule
from mmrec.explain.verify.meaning import Ref, Said, common_owners, has, holds_of, with_like
from mmrec.explain.verify.tokens import Token, match_form

_ANY_NOUNS = "item items product products piece pieces one ones title titles pair pairs"
_OWN_NOUNS = {
    "film": "film films movie movies story", "book": "book books story", "album": "album albums record records",
}  # fmt: skip
_WORN = frozenset({"material", "pattern", "section", "size"})
"""Kinds of facts that only a catalogue of clothes has."""
_DONE = {
    "bought": "bought purchased got owned", "watched": "watched saw seen", "read": "read", "played": "played",
}  # fmt: skip
"""What is known that users did, by the domain's word. That they liked it is not known."""
IMAGE = "picture|image|photo|poster|cover"
VERBS = {
    "director": "directed|also directed|has also directed",
    "brand": "made|makes|also made|also makes|has also made",
    "author": "wrote|also wrote",
    "artist": "recorded|also recorded",
    "actor": "stars in|star in|is in|are in|also stars in|also appears in|appears in|appear in|plays in|you saw in",
}
"""What is said of makers and actors, by kind."""
COUNTS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
AS_IS = (
    "like|as with|as in|as is|as are|as was|as were|as does|as do|as did|as has|as have|as is that of|as are those of"
    "|as was that of|as does that of|similar to|like that of|like those of"
)
ALSO = "also|too|as well|both|likewise"
_MAKERS = frozenset({"brand", "director", "author", "artist"})
_PLACES = frozenset({"brand", "year", "collection", "section", "country", "category", "artist"})
_INS = frozenset({"colour", "material", "collection", "size", "category", "section", "pattern"})
_ADJECTIVES = frozenset({"colour", "material", "genre", "pattern", "brand", "year", "type", "category", "collection"})
_NOUNS = frozenset({"type", "category", "genre", "noun"})
_NOT_PLAIN = frozenset({"text", "image", "noun"})
_QUALITIES = frozenset({"colour", "material", "pattern", "genre", "category", "type"})
_NO_QUALITIES = frozenset({"actor", "price", "year", "genre", "type", "section"})


class Phrases(Matcher):
    """Rules of phrases.

    Args:
        tokens: the tokens of a sentence.
        lexicon: the forms of the statements.
        mentioned: history titles of the sentences before, for "they" and "both".
    """

    def __init__(self, tokens: list[Token], lexicon: Lexicon, mentioned: frozenset[str] = frozenset()) -> None:
        super().__init__(tokens, lexicon)
        self.mentioned = mentioned
        domain = lexicon.evidence.domain
        worn = "garment garments" if any(value.kind in _WORN for value in lexicon.names) else ""
        self.nouns = "|".join(f"{_ANY_NOUNS} {_OWN_NOUNS.get(domain.noun, worn)}".split())
        done = f"chose chosen picked had {_DONE.get(domain.did, '')}".split()
        owns = ["own", "already own"] if domain.did == "bought" else []
        self.had = "|".join([*done, "have", "already have", *owns, *(f"{h} {v}" for h in ("have", "ve") for v in done)])

    # Facts.

    def value(self, start: int, kinds: frozenset[str] | None = None) -> Iterator[tuple[int, Said]]:
        """Read one fact, with the noun of its kind before or after it: "crime", "the brand OPI", "dark blue colour"."""
        for place in self.words(start, "the|a|an|its?"):
            yield from self._bare_value(place, kinds)
            for middle, named in self.kind_noun(place):
                yield from self._bare_value(middle, named if kinds is None else named & kinds)

    def _bare_value(self, start: int, kinds: frozenset[str] | None) -> Iterator[tuple[int, Said]]:
        for end, entry in self.entries(start):
            value = entry.value
            if value is None or (value.kind in _NOT_PLAIN if kinds is None else value.kind not in kinds):
                continue
            said = Said((value,), marks=((start, end, self.lexicon.names[value]),))
            yield end, said
            for after, named in self.kind_noun(end):
                if value.kind in named:
                    yield after, said

    def of_kind(self, *kinds: str) -> Rule:
        """Return the rule that reads one fact of some kinds."""
        return lambda start: self.value(start, frozenset(kinds))

    def facts(self, *kinds: str) -> Rule:
        """Return the rule that reads one or more facts of some kinds."""
        one = self.of_kind(*kinds)
        return lambda start: self.listed(start, one)

    def listed(self, start: int, rule: Rule) -> Iterator[tuple[int, Said]]:
        """Read one or more things of a rule: "a, b and c"."""
        for end, first in rule(start):
            yield end, first
            for place in self.words(end, "and|, and|,|& "):
                for last, others in self.listed(place, rule):
                    yield last, first | others

    def adjectives(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read facts before a noun, perhaps none."""
        yield start, Said()
        for end, first in self._bare_value(start, _ADJECTIVES):
            for place in self.words(end, ",|and?"):
                for last, others in self.adjectives(place):
                    if last > place or place == end:
                        yield last, first | others

    def noun(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a noun: a general one, or a fact that is one."""
        for end in self.words(start, self.nouns):
            yield end, Said()
        yield from self._bare_value(start, _NOUNS)

    # References.

    def own(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to the recommended item."""
        yield from self.once("own", start, self._own)

    def _own(self, start: int) -> Iterator[tuple[int, Ref]]:
        for end in self.words(start, "it|this|they|these|this one"):
            yield end, Ref(own=True)
        for end, (said, noun) in self.seq(start, "this|these|the", "pair of?", self.adjectives, self.noun):
            ref = Ref(True, marks=said.marks + noun.marks)  # the lexicon has no fact that is not the item's own
            yield end, ref
            for after, more in self.addition(end):
                if holds_of(Ref(own=True), more, self.lexicon):
                    yield after, Ref(True, marks=ref.marks + more.marks)
        for place in self.words(start, "the?"):
            for end, entry in self.entries(place):
                if entry.title == "" and (entry.whole or place > start):
                    yield end, Ref(own=True)
                    for after, (said,) in self.seq(end, ",", self.described):
                        for last in self.words(after, ",?"):
                            if holds_of(Ref(own=True), said, self.lexicon):
                                yield last, Ref(True, marks=said.marks)

    def named(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read the title of one history item, perhaps with "which you watched" or "from your history"."""
        yield from self.once("named", start, self._named_item)

    def _named_item(self, start: int) -> Iterator[tuple[int, Ref]]:
        for place in self.words(start, "the|your|that?"):
            for end, entry in self.entries(place):
                if not entry.title or not (entry.whole or place > start):
                    continue
                ref = Ref(titles=frozenset({entry.title}), marks=((start, end, self.lexicon.history[entry.title]),))
                for after in (end, *self._sort_of(end, entry.title)):
                    yield after, ref
                    for last in self._of_user_history(after):
                        yield last, ref

    def _sort_of(self, start: int, title: str) -> Iterable[int]:
        for form in self.lexicon.sorts.get(title, ()):
            end = match_form(self.tokens, start, form)
            if end is not None:
                yield end

    def _of_user_history(self, start: int) -> Iterator[int]:
        """Read "which you watched before", "from your history"."""
        for end, _ in self.seq(start, ",?", "which|that|whom?", "you", self.had, "before|earlier|in the past?", ",?"):
            yield end
        for end, _ in self.seq(start, "in|from", "your history", ",?"):
            yield end

    def _relative(self, start: int, ref: Ref) -> Iterator[tuple[int, Ref]]:
        """Read what is said of the items of a reference, of each of them: "by Ana Lopez", ", both crime films"."""
        for end, said in self.addition(start):
            if holds_of(ref, said, self.lexicon):
                yield end, replace(ref, marks=ref.marks + said.marks)
                for after, _ in self.seq(end, "that|which?", "you", self.had):
                    yield after, replace(ref, marks=ref.marks + said.marks)
        for end, (said,) in self.seq(start, ",?", "which|that|who", self.predicate):
            if holds_of(ref, said, self.lexicon):
                for after in self.words(end, ",?"):
                    yield after, replace(ref, marks=ref.marks + said.marks)
        for end, (said,) in self.seq(start, ",", "both?" if ref.size == 2 else "all?", self.described):
            if holds_of(ref, said, self.lexicon):
                for after in self.words(end, ",?"):
                    yield after, replace(ref, marks=ref.marks + said.marks)

    def items(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to history items: one, a list, or "they" for those mentioned before."""
        yield from self.once("items", start, self._items)

    def _items(self, start: int) -> Iterator[tuple[int, Ref]]:
        for place in self.words(start, "both?"):
            for end, ref in self._list_of(place, self.named):
                yield end, ref
                if ref.size > 1:
                    yield from self._relative(end, ref)
                for after, count in self._more(end):
                    larger = replace(ref, more=count)
                    yield after, larger
                    yield from self._relative(after, larger)
        for end, count in self._count(start):
            for after, _ in self.seq(end, self.nouns, "that|which?", "you", self.had):
                yield after, Ref(more=count)

    def _more(self, start: int) -> Iterator[tuple[int, int]]:
        """Read how many further items there are: "and 3 more films", "and 3 others"."""
        for place in self.words(start, "and|, and"):
            for middle, count in self._count(place):
                for end, _ in self.seq(middle, "more", f"{self.nouns}?"):
                    yield end, count
                for end in self.words(middle, "other|others"):
                    yield end, count

    def _count(self, start: int) -> Iterator[tuple[int, int]]:
        """Read a number of items."""
        key = self.tokens[start].key if start < len(self.tokens) else ""
        count = int(key) if key.isdecimal() else COUNTS.get(key, 0)
        if count:
            yield start + 1, count

    def everything(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read a reference to any items, the recommended one among them or not."""
        yield from self.once("everything", start, self._everything)

    def _everything(self, start: int) -> Iterator[tuple[int, Ref]]:
        for place in self.words(start, "both?"):
            yield from self._list_of(place, lambda at: [*self.own(at), *self.named(at)])
        before = self._before(start)
        for end, (said,) in self.seq(start, "both|they|these|both of them|the two", self._optional_noun):
            for titles in (before, *(frozenset({title}) for title in before)):
                for own in (True, False):
                    if titles and own + len(titles) > 1:
                        yield end, Ref(own, titles, said.values, said.marks)

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
            for place in self.words(end, "and|, and|,"):
                for last, others in self._list_of(place, bare, said and told):
                    yield last, first | others

    def _told(self, start: int, said: bool) -> Iterator[tuple[int, Ref, bool]]:
        """Read a history item with what is said of it."""
        for end, ref in self.named(start) if said else ():
            for after, whole in self._relative(end, ref):
                yield after, whole, True

    def _before(self, start: int) -> frozenset[str]:
        """Return the history titles mentioned before a place, in this sentence if there are any."""
        here = {
            entry.title
            for place in range(start)
            for end, entry in self.entries(place)
            if entry.title and end <= start and (entry.whole or self.tokens[place - 1].key in ("the", "your"))
        }
        return frozenset(here) or self.mentioned

    # What is said of items.

    def described(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a noun phrase that describes: "a crime film by Ana Lopez", "another pair of trousers"."""
        yield from self.once("described", start, self._described)

    def _described(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, "a|an|another|one|one more|the|also a|also?"):
            for end, said in self._described_as(place):
                if self.tokens[place - 1].key not in ("another", "more") or place == start or self._is_known(said):
                    yield end, said

    def _described_as(self, start: int) -> Iterator[tuple[int, Said]]:
        for middle in self.words(start, "pair of|set of?"):
            for end, adjectives in self.adjectives(middle):
                nouns = [*self.noun(end)] or ([(end, Said())] if end > middle else [])
                for after, noun in [*nouns, *([(end, Said())] if nouns and end > middle else [])]:
                    yield from self._with_additions(after, adjectives | noun)

    def _is_known(self, said: Said) -> bool:
        """Return whether an item of the history has what is said too, so that "another" may be said."""
        several = len(said.values) > 1
        return not said.values or bool(
            common_owners(self.lexicon, said.values) if several else self.lexicon.counts[said.values[0]]
        )

    def _with_additions(self, start: int, said: Said) -> Iterator[tuple[int, Said]]:
        if said.values or said.same or said.like:
            yield start, said
        for place in self.words(start, ",|and?"):
            for end, more in self.addition(place):
                yield from self._with_additions(end, said | more)

    def addition(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a phrase with a preposition: "by Ana Lopez", "from 1997", "in dark blue", "by the same director"."""
        yield from self.once("addition", start, self._addition)

    def _addition(self, start: int) -> Iterator[tuple[int, Said]]:
        makers, places, ins = (self.of_kind(*kinds) for kinds in (_MAKERS, _PLACES, _INS))
        forms: list[tuple[str | Rule, ...]] = [
            ("by|made by|created by|of|from the maker|of the brand", makers),
            ("directed by", self.of_kind("director")), ("written by", self.of_kind("author")),
            ("starring|featuring|with", self.facts("actor")),
            ("from|made in|that comes from|which comes from", places), ("in|in the colour", ins),
            ("made of|of|made from|in", self.of_kind("material")), ("for", self.of_kind("category", "type", "section")),
            ("at|for|at a price of", self.of_kind("price")), ("with", self._with_quality),
            ("which is|that is|which are|that are", self.complement), ("which|that", self._other_verb),
        ]  # fmt: skip
        for parts in forms:
            for end, meanings in self.seq(start, *parts):
                yield end, meanings[-1]
        for place in self.words(start, "by|from|with|in|of|has|with|directed by|made by?"):
            yield from self._same(place)
        for end, (ref,) in self.seq(start, "like|similar to|close to|to go with|to match|just like", self.items):
            yield end, Said(like=(ref,), marks=ref.marks)

    def _words(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read words of the item's description, with or without "and" between them."""
        for end, first in self._bare_value(start, frozenset({"text"})):
            yield end, first
            for place in self.words(end, "and|,?"):
                for last, others in self._words(place):
                    yield last, first | others

    def _with_quality(self, start: int) -> Iterator[tuple[int, Said]]:
        kinds = {v.kind for v in self.lexicon.owners} - _MAKERS - _NOT_PLAIN - _NO_QUALITIES
        yield from self.listed(start, lambda at: self.value(at, frozenset(kinds)))

    def _same(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "the same colour (and the same section) as the Basic tee"; without "as" it is of what came before."""
        for end, kinds in self._same_kinds(start):
            for after, (ref,) in self.seq(end, "as|as that of|as for|as those of|of", self.items):
                yield after, Said(same=tuple((kind, ref) for kind in kinds), marks=ref.marks)
            before = self._before(start)
            if before:
                yield end, Said(same=tuple((kind, Ref(titles=before)) for kind in kinds))

    def _same_kinds(self, start: int) -> Iterator[tuple[int, tuple[frozenset[str], ...]]]:
        for end, (kind,) in self.seq(start, "the same", self.kind_noun):
            yield end, (kind,)
            for place in self.words(end, "and|,"):
                for after, kinds in self._same_kinds(place):
                    yield after, (kind, *kinds)

    def complement(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what follows "is": qualities, a description, a phrase with a preposition, a similarity."""
        yield from self.once("complement", start, self._complement)

    def _complement(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, "also|likewise|made|both?"):  # "too" in front is a degree
            for end, said in self.listed(place, lambda at: self._bare_value(at, _QUALITIES)):
                yield end, said
            yield from self.described(place)
            yield from self.addition(place)
            for end, (said,) in self.seq(place, self.facts("image"), "in|on", "its|the|their", IMAGE):
                yield end, said
            for end, (said,) in self.seq(place, lambda at: self._with_additions(at, Said())):
                yield end, said

    def predicate(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what follows a subject: one or more verbs with what belongs to them, and comparisons at the end."""
        yield from self.once("predicate", start, self._predicates)

    def _predicates(self, start: int) -> Iterator[tuple[int, Said]]:
        parts = [(after, whole) for end, said in self._predicate(start) for after, whole in self._tail(end, said)]
        yield from parts
        for end, said in parts:
            for place in self.words(end, "and|, and|and also|,"):
                for last, more in self._predicates(place):
                    yield last, said.and_then(more)

    def _predicate(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, f"{ALSO}?"):
            for end, meanings in self.seq(place, "is|are|was|were|s|re", self.complement):
                yield end, meanings[-1]
            yield from self._other_verb(place)

    def _other_verb(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, f"{ALSO}?"):
            yield from self._verb_with_fact(place)
            yield from self._verb_with_items(place)

    def _verb_with_fact(self, start: int) -> Iterator[tuple[int, Said]]:
        image = self.of_kind("image")
        forms: list[tuple[str | Rule, ...]] = [
            ("stars|star|features|includes|has|have", self.facts("actor")),
            ("came out in|came out|dates from|appeared in|is from", self.of_kind("year")),
            ("comes in|come in", self.of_kind("colour", "size", "material", "pattern")),
            ("comes from|come from|belongs to|belong to|is part of", self.of_kind(*_PLACES)),
            ("costs|cost|is priced at", self.of_kind("price")),
            ("combines|mixes|combine", self.facts("genre")),
            ("shows|show|has|have", lambda at: self.listed(at, image), "on|in?", "it|its|the?", f"{IMAGE}?"),
            ("mentions|mention|has the word", self.of_kind("text"), "in?", "its|the?", "description?"),
            ("has|have|has a|has an|have a|have an", self._with_quality),
        ]  # fmt: skip
        for parts in forms:
            for end, meanings in self.seq(start, *parts):
                yield end, meanings[-1]

    def _verb_with_items(self, start: int) -> Iterator[tuple[int, Said]]:
        for end, (same,) in self.seq(start, "has|have|is by|is from|shares|share", self._same):
            yield end, same
        for end, (kinds, facts) in self.seq(start, "shares|share", self._shared_kinds, self._apposition):
            for after, (ref,) in self.seq(end, "with", self.items):
                said = Said(facts.values, tuple((k, ref) for k in kinds), marks=facts.marks + ref.marks)
                yield after, said | Said(like=(ref,) if facts.values else ())
            yield end, Said(facts.values, tuple((k, Ref()) for k in kinds), marks=facts.marks)
        for end, (ref, kinds) in self.seq(
            start,
            "matches|match|fits|fit|suits|suit|resembles|resemble|recalls|goes with|goes well with|go with|go well with"
            "|is close to|is similar to|are close to|are similar to",
            self.items,
            self._in_kinds,
        ):
            said = Said(same=tuple((k, ref) for k in kinds), like=() if kinds else (ref,), marks=ref.marks)
            yield end, said
            for after, (other, more) in self.seq(end, "and", self.items, self._in_kinds):
                if kinds and more:
                    yield after, said | Said(same=tuple((k, other) for k in more), marks=other.marks)

    def _shared_kinds(self, start: int) -> Iterator[tuple[int, tuple[frozenset[str], ...]]]:
        for end, (kind,) in self.seq(start, "its|their|a|an|the|the same?", self.kind_noun):
            yield end, (kind,)
            for place in self.words(end, "and|,"):
                for after, kinds in self._shared_kinds(place):
                    yield after, (kind, *kinds)

    def _in_kinds(self, start: int) -> Iterator[tuple[int, tuple[frozenset[str], ...]]]:
        yield start, ()
        for end, (kinds,) in self.seq(start, "in", self._shared_kinds):
            yield end, kinds

    def _apposition(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read facts between commas, perhaps none: ", Ana Lopez,"."""
        yield start, Said()
        for end, (said,) in self.seq(start, ",", lambda at: self.listed(at, self.value), ",?"):
            yield end, said

    def _tail(self, start: int, said: Said) -> Iterator[tuple[int, Said]]:
        """Read what may follow a predicate: "too", "like Night Train", "as is the Basic tee"."""
        for place in self.words(start, f"{ALSO}|for you?"):
            yield place, said
            if said.values or said.same:
                for end, (ref,) in self.seq(
                    place, ",?", "just|much?",
                    AS_IS,
                    "the poster of|the photo of|the picture of|that of?", self.items,
                ):  # fmt: skip
                    yield end, with_like(said, ref)
                for end, (ref,) in self.seq(place, ",?", "the same as", "for|that of|with?", self.items):
                    yield end, with_like(said, ref)
            for end, (kind, ref) in self.seq(place, ",", "the", self.kind_noun, "of|that", self.items):
                yield end, said | Said(same=((kind, ref),), marks=ref.marks)
            for end, (same,) in self.seq(place, ",", self._same):
                yield end, said | same
            for value in said.values:
                verbs = VERBS.get(value.kind, "also made")
                for end, (ref,) in self.seq(place, ",?", "who|which|whom", verbs, self.items):
                    if has(self.lexicon, value, ref):
                        yield end, said | Said(marks=ref.marks)

    def taste(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what the user is said to like; each fact must be one of several history items, or of many of them."""
        for end, said in self.listed(start, lambda at: self._with_noun(at)):
            if said.values and all(self._is_taste(said_value) for said_value in said.values):
                yield end, said

    def _with_noun(self, start: int) -> Iterator[tuple[int, Said]]:
        for end, said in self.value(start):
            for after in self.words(end, f"{self.nouns}?"):
                yield after, said

    def _is_most(self, value: Value) -> bool:
        """Return whether at least half of the history has a fact."""
        return 2 * self.lexicon.counts[value] >= self.lexicon.history_size

    def _is_taste(self, value: object) -> bool:
        count = len(common_owners(self.lexicon, [value]))  # type: ignore[list-item]
        return count >= 2 or 3 * count >= self.lexicon.history_size > 0
