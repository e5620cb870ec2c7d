"""What the verifier understands to be said of items: noun phrases, phrases with prepositions, predicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mmrec.explain.facts import MAKERS
from mmrec.explain.verify.lexicon import Value
from mmrec.explain.verify.matching import Rule
from mmrec.explain.verify.meaning import Ref, Said, Sort, common_owners, has, holds_of, with_like
from mmrec.explain.verify.references import ALSO, NOT_PLAIN, References
from mmrec.explain.verify.wording import by_modalities, phrases, table, verbs_of_maker

IMAGE = "picture|pictures|image|images|photo|photos|poster|posters|cover|covers|artwork"
_THAT_OF = "|".join(
    [phrases("that of"), *(f"{on}the {image} of" for on in ("", "on ", "in ") for image in IMAGE.split("|"))]
) + "?"  # fmt: skip
_BE = frozenset({"is", "are", "was", "were", "s", "re"})
BE = "is|are|was|were|s|re"
_VERBS_BEFORE_SAME = "has|have|is by|is from|are by|are from|shares|share|comes from|come from|belongs to|belong to"
_JOINED = "and|, and|,|with|, with"
_QUALITIES = frozenset(
    {"colour", "material", "pattern", "genre", "category", "type", "quality", "label", "language", "country"}
)
_NO_QUALITIES = frozenset({"actor", "price", "year", "genre", "type", "section", "quality", "country", "language"})


class Predicates(References):
    """Rules of what is said of items."""

    def described(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a noun phrase that describes: "a crime film by Ana Lopez", "another pair of trousers"."""
        yield from self.once("described", start, self._described)

    def _described(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(
            start, "a|an|another|one|one more|the|also a|also an|also|something|something else|some|more|some more?"
        ):
            for end, said in self._described_as(place):
                if (
                    self.tokens[place - 1].key not in ("another", "more", "else")
                    or place == start
                    or self._is_known(said)
                ):
                    yield end, said

    def _described_as(self, start: int) -> Iterator[tuple[int, Said]]:
        for middle in self.words(start, "pair of|pairs of|set of?"):
            for end, adjectives in self.adjectives(middle):
                nouns = [*self.noun(end)] or ([(end, Said())] if end > middle else [])
                for after, noun in [*nouns, *([(end, Said())] if nouns and end > middle else [])]:
                    yield from self.with_additions(after, adjectives | noun)
        for end, (maker, adjectives, noun) in self.seq(
            start, self.of_kind(*MAKERS), "s?", self.adjectives, self.noun
        ):  # fmt: skip
            yield from self.with_additions(end, maker | adjectives | noun)
        if start and self.tokens[start - 1].key in ("one", "another", "something", "else"):
            for end, first in self.addition(start):
                yield from self.with_additions(end, first)

    def _is_known(self, said: Said) -> bool:
        """Return whether an item of the history has what is said too, so that "another" may be said."""
        several = len(said.values) > 1
        return not said.values or bool(
            common_owners(self.lexicon, said.values) if several else self.lexicon.counts[said.values[0]]
        )

    def fits_before(self, start: int, said: Said) -> bool:
        """Return whether a phrase holds of the history items before it, of which a reader may take it."""
        while start and self.tokens[start - 1].key in ("also", "plus", "then", "overall"):
            start -= 1
        before = self.before(start) if start and self.tokens[start - 1].key in (",", ";", "-", "and") else frozenset()
        return not before or holds_of(Ref(titles=before), said.with_object(Ref(own=True)), self.lexicon)

    def with_additions(self, start: int, said: Said) -> Iterator[tuple[int, Said]]:
        """Read phrases that follow a noun."""
        if said.values or said.same or said.like:
            yield start, said
        for place in self.words(start, ",|and?"):
            for end, more in self.addition(place):
                yield from self.with_additions(end, said | more)

    def addition(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a phrase with a preposition: "by Ana Lopez", "from 1997", "in dark blue", "by the same director"."""
        yield from self.once("addition", start, self._addition)

    def _addition(self, start: int) -> Iterator[tuple[int, Said]]:
        for pattern, kinds in table("before facts"):
            for place in self.words(start, pattern):
                yield from self.listed(place, self.of_kind(*kinds))
        forms: list[tuple[str | Rule, ...]] = [
            ("with|at", self._with_quality),
            ("which is|that is|which are|that are", self.complement),
            ("which|that", self.other_verb),
        ]
        for parts in forms:
            for end, meanings in self.seq(start, *parts):
                yield end, meanings[-1]
        for end, (said,) in self.seq(start, "that|which", self.made_by):
            yield end, said
        for place in self.words(start, "of theirs|of his|of hers|by them|by her|by him"):
            if self.before(start):
                yield place, Said(same=((Sort(MAKERS | {"actor"}), Ref(titles=self.before(start))),))
        before = "by|from|with|in|of|on|has|with|directed by|made by|published by|published in|released in|released on"
        for place in self.words(start, f"{before}|released by|developed by|written by|recorded by|for?"):
            yield from self.same(place)
        for end, (ref,) in self.seq(start, f"{phrases('similar')}|to go with|to match", self.items):
            yield end, Said(like=(ref,), marks=ref.marks)

    def made_by(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a maker with a verb: "Ana Lopez directed too"."""
        for end, said in self.value(start, MAKERS | {"actor"}):
            for middle in self.words(end, self.verbs_of(said)):
                yield from ((last, said) for last in self.words(middle, f"{ALSO}?"))

    def verbs_of(self, said: Said) -> str:
        """Return the verbs between makers and what they made, as a pattern; empty if they are of several kinds."""
        kinds = {value.kind for value in said.values}
        return verbs_of_maker(kinds.pop()) if len(kinds) == 1 else ""

    def described_words(self, start: int, kinds: frozenset[str] = frozenset({"text"})) -> Iterator[tuple[int, Said]]:
        """Read words of the item's description, with or without "and" between them."""
        for end, first in self.bare_value(start, kinds):
            yield end, first
            for place in self.words(end, "and|,?"):
                for last, others in self.described_words(place, kinds):
                    yield last, first | others

    def _with_quality(self, start: int) -> Iterator[tuple[int, Said]]:
        kinds = {v.kind for v in self.lexicon.owners} - MAKERS - NOT_PLAIN - _NO_QUALITIES
        yield from self.listed(start, lambda at: self.value(at, frozenset(kinds)))

    def same(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "the same colour (and the same section) as the Basic tee"; without "as" it is of what came before.

        Also "the maker of the Basic tee", "the brand that made the Basic tee", "the same developer, Pale Otter Games".
        """
        for end, sorts in self._same_sorts(start):
            yield from self._same_as(end, sorts)
        for end, (sort, ref) in self.seq(
            start, "the|the same|those", self.sort, "of|behind|that made|that makes|who made|which made", self.items
        ):
            yield from self._with_names(end, sort, ref)
        for end, (ref, sort) in self.seq(start, self.named, "s", self.sort):
            yield from self._with_names(end, sort, ref)
        for end, (sort,) in self.seq(start, "the|the same", self.sort):
            for middle in self.words(end, "that|which|who"):
                for kind in sort.kinds:
                    for after, (ref,) in self.seq(middle, verbs_of_maker(kind), self.items):
                        yield from self._with_names(after, Sort(frozenset({kind})), ref)
        for end, (sort,) in self.seq(start, "the|that", self.sort):
            if sort.kinds & MAKERS and self.before(start):
                yield end, Said(same=((_one(sort), Ref(titles=self.before(start))),))

    def _with_names(self, start: int, sort: Sort, ref: Ref) -> Iterator[tuple[int, Said]]:
        """Read the fact that items share, perhaps nothing: "the band behind Slow Meridian, The Low Ferns"."""
        for end, facts in self.apposition(start, (sort,)):
            if all(has(self.lexicon, value, ref) for value in facts.values):
                yield end, Said(same=((_one(sort), ref),), marks=ref.marks + facts.marks)

    def _same_as(self, start: int, sorts: tuple[Sort, ...]) -> Iterator[tuple[int, Said]]:
        for place, facts in self.apposition(start, sorts):
            for end, (ref,) in self.seq(place, "as|as that of|as for|as those of|of|as in|as on|as with", self.items):
                for last, more in self.apposition(end, sorts) if not facts.values else [(end, facts)]:
                    if all(has(self.lexicon, value, ref) for value in more.values):
                        yield last, Said(same=tuple((sort, ref) for sort in sorts), marks=more.marks + ref.marks)
            before = self.before(start)
            yield place, Said(facts.values, tuple((sort, Ref()) for sort in sorts), marks=facts.marks)
            if before and all(has(self.lexicon, value, Ref(titles=before)) for value in facts.values):
                yield place, Said(same=tuple((sort, Ref(titles=before)) for sort in sorts), marks=facts.marks)

    def apposition(self, start: int, sorts: tuple[Sort, ...]) -> Iterator[tuple[int, Said]]:
        """Read the facts that are meant by nouns of kinds, perhaps none: ", Ana Lopez,"."""
        yield start, Said()
        kinds = frozenset[str]().union(*(sort.kinds for sort in sorts))
        for end, (said,) in self.seq(start, ",|:", lambda at: self.listed(at, lambda a: self.value(a, kinds)), ",?"):
            yield end, said

    def _same_sorts(self, start: int) -> Iterator[tuple[int, tuple[Sort, ...]]]:
        for end, (sort,) in self.seq(start, "the same|the very same|same", self.sort):
            yield end, (sort,)
            for place in self.words(end, "and|,"):
                for after, sorts in (*self._same_sorts(place), *((e, (s,)) for e, s in self.sort(place))):
                    yield after, (sort, *sorts)

    def complement(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what follows "is": qualities, a description, a phrase with a preposition, a similarity."""
        yield from self.once("complement", start, self._complement)

    def _complement(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, "also|likewise|made|both|all|each?"):  # "too" in front is a degree
            yield from self.listed(place, lambda at: self.bare_value(at, _QUALITIES))
            for end, said in self.listed(place, lambda at: self.bare_value(at, _QUALITIES)):
                for middle in self.words(end, "and|,?"):
                    for after, more in self.addition(middle):
                        yield from self.with_additions(after, said | more)
            yield from self.described(place)
            yield from self.addition(place)
            for end, (said,) in self.seq(place, self.facts("image"), "in|on", "its|the|their", IMAGE):
                yield end, said
            yield from self.with_additions(place, Said())

    def predicate(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what follows a subject: one or more verbs with what belongs to them, and comparisons at the end."""
        yield from self.once("predicate", start, self._predicates)

    def _predicates(self, start: int) -> Iterator[tuple[int, Said]]:
        parts = [(after, whole) for end, said in self._predicate(start) for after, whole in self.tail(end, said)]
        yield from parts
        for end, said in parts:
            for place in self.words(end, "and|, and|and also|,"):
                rests = [*self.predicate(place)]
                if said.like and self.tokens[start].key in _BE and self.tokens[place - 1].key == "and":
                    rests += [found for last, more in self.complement(place) for found in self.tail(last, more)]
                for last, more in rests:
                    yield last, said.and_then(more)

    def _predicate(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, f"{ALSO}|each|all?"):
            for end, meanings in self.seq(place, f"{BE}|seems to be|has been|have been", self.complement):
                yield end, meanings[-1]
            yield from self.other_verb(place)

    def other_verb(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a verb other than "is" with what belongs to it."""
        for place in self.words(start, f"{ALSO}|each|all?"):
            yield from self._verb_with_fact(place)
            yield from self.verb_with_items(place)

    def _verb_with_fact(self, start: int) -> Iterator[tuple[int, Said]]:
        for pattern, kinds in table("verbs with facts"):
            for place in self.words(start, pattern):
                yield from self.listed(place, self.of_kind(*kinds))
                yield from self.same(place)
        images = lambda at: self.listed(at, self.of_kind("image"))  # noqa: E731
        of_image: tuple[str | Rule, ...] = ("on|in?", "it|its|the?", f"{IMAGE}?")
        with_items = lambda at: self.listed(at, self._value_as, _JOINED)  # noqa: E731
        of_quality = lambda at: self.listed(at, lambda a: self._value_as(a, _QUALITIES), _JOINED)  # noqa: E731
        forms: list[tuple[str | Rule, ...]] = [
            (f"{phrases('verbs of mixing')}|includes|include|has|have", with_items),
            (BE, of_quality),
            (phrases("verbs of mixing"), lambda at: self.listed(at, self.of_kind("genre"), "and|with|, and|,")),
            ("shows|show|has|have", images, *of_image),
            (f"has|{phrases('verbs of mixing')}", lambda at: self.listed(at, self.value_of)),
            ("mentions|mention|has the word", self.of_kind("text"), "in?", "its|the?", "description?"),
            ("has|have|has a|has an|have a|have an|supports|support|carries|carry", self._with_quality),
            ("has|have|shares|share|mentions|mention", self.word, phrases("titles")),
        ]  # fmt: skip
        for parts in forms:
            for end, meanings in self.seq(start, *parts):
                yield end, meanings[-1]
        for end, (said, sort) in self.seq(
            start,
            "has|have|counts|count",
            lambda at: self.listed(at, self.value),
            "as|among",
            "its|their|one of its",
            self.sort,
        ):
            if all(value.kind in sort.kinds for value in said.values):
                yield end, said

    def _value_as(self, start: int, kinds: frozenset[str] | None = None) -> Iterator[tuple[int, Said]]:
        """Read "crime, as in Night Train": a fact of the item and of history items."""
        too = f"{phrases('as is')}|{phrases('shared by')}"
        for end, (said, ref) in self.seq(start, lambda at: self.value(at, kinds), ",?", too, self.items):
            if holds_of(ref, said, self.lexicon):
                yield end, Said(said.values, marks=said.marks + ref.marks)

    def value_of(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "the dark blue of the Basic tee": a fact of history items."""
        for end, (said, ref) in self.seq(start, self.value, "of|from", self.named):
            if holds_of(ref, said, self.lexicon):
                yield end, Said(said.values, marks=said.marks + ref.marks)

    def word(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read words of titles: "the word kitchen", "the words tiny kitchen"."""
        for place in self.words(start, "the word|the words|a|the?"):
            yield from self._words_of_titles(place)

    def _words_of_titles(self, start: int) -> Iterator[tuple[int, Said]]:
        for end, first in self.bare_value(start, frozenset({"word"})):
            yield end, first
            for place in self.words(end, "and|,?"):
                for last, others in self._words_of_titles(place):
                    yield last, first | others

    def verb_with_items(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "shares its colour with the Basic tee", "matches the Jade slim in colour", "has the same genre"."""
        for end, (same,) in self.seq(start, _VERBS_BEFORE_SAME, lambda at: self.listed(at, self.same)):
            yield end, same
        for end, (shared, amount) in self.seq(start, "shares|share", self.shared, "with", self.amount):
            apart = tuple((Sort(sort.kinds, sort.every, apart=True), Ref(own=True)) for sort, _ in shared.same)
            titles = self.holders(Said(shared.values, apart))[0]
            if titles and self.is_amount(amount, Said(shared.values, apart)):
                same = tuple((sort, Ref(titles=titles)) for sort, _ in apart)
                for last, listed in ((end, Ref()), *self.seq_of(end, ",|:", self.items)):
                    if listed.titles <= titles and len(listed.titles) in (0, amount.most):
                        yield last, Said(same=same, marks=listed.marks)
        for end, (shared,) in self.seq(start, "shares|share|has|have", self.shared):
            middles = [*self.words(end, "with|in common with")]
            for after, (ref,) in (found for middle in middles for found in self.seq(middle, self.everything)):
                whole = _shared_with(shared, ref)
                yield after, whole
                for last, (more, other) in self.seq(
                    after, "and|, and|, and also|and also", self.shared, "with|in common with", self.items
                ):
                    yield last, whole.and_then(_shared_with(more, other))
            for last in self.words(end, "in common?"):
                if last > end or self.tokens[start].key in ("share", "shares"):
                    kinds = tuple((Sort(frozenset({value.kind})), Ref()) for value in shared.values)
                    yield last, replace(shared, same=shared.same + kinds)
                    if before := self.before(start):
                        yield last, _shared_with(shared, Ref(titles=before))
                elif self.tokens[start].key == "have":
                    yield last, shared
        for end, (said, ref) in self.seq(start, "shares|share", self.word, "with", self.items):
            if self.tokens[start + 1].key == "the":
                yield end, Said(said.values, like=(ref,), marks=said.marks + ref.marks)
        for name, close in self.lexicon.close_by.items():
            for end, (ref,) in self.seq(start, phrases("verbs of similarity"), self.objects, by_modalities(name)):
                if ref.titles and ref.titles <= close and not ref.more:
                    yield end, Said(like=(Ref(titles=ref.titles),), marks=ref.marks)
        for end, (ref, sorts) in self.seq(start, phrases("verbs of similarity"), self.objects, self._in_sorts):
            said = Said(same=tuple((s, ref) for s in sorts), like=() if sorts else (ref,), marks=ref.marks)
            yield end, said
            for after, (other, more) in self.seq(end, "and", self.items, self._in_sorts):
                if sorts and more:
                    yield after, said | Said(same=tuple((s, other) for s in more), marks=other.marks)

    def shared(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what is shared, each kind with an empty reference: "its genre, crime, and its year"."""
        yield from self.once("shared", start, self._shared)

    def _shared(self, start: int) -> Iterator[tuple[int, Said]]:
        for begin in self.words(start, "both?"):
            for end, first in self._one_shared(begin):
                yield end, first
                for place in self.words(end, "and|, and|,|as well as"):
                    for last, others in self._shared(place):
                        yield last, first | others

    def _one_shared(self, start: int) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, "its|their|a|an|the|the same?"):
            for end, sort in self.sort(place):
                apart = place > start and self.tokens[place - 1].key in ("a", "an")
                said = Said(same=((Sort(sort.kinds, sort.every, apart), Ref()),))
                yield end, said
                for last in self.words(end, "of release|of publication"):
                    if "year" in sort.kinds:
                        yield last, said
                for last, facts in self.apposition(end, (sort,)):
                    if facts.values:
                        yield last, Said(facts.values, said.same, marks=facts.marks)
        for end, said in self.value(start):
            if self.tokens[start].key in ("the", "its") and end > start + 1 and self.tokens[end - 1].key.isalpha():
                yield end, said

    def _in_sorts(self, start: int) -> Iterator[tuple[int, tuple[Sort, ...]]]:
        yield start, ()
        for end, (said,) in self.seq(start, "in", self.shared):
            if not said.values:
                yield end, tuple(sort for sort, _ in said.same)

    def tail(self, start: int, said: Said) -> Iterator[tuple[int, Said]]:
        """Read what may follow a predicate: "too", "like Night Train", "as is the Basic tee"."""
        for place in self.words(start, f"{ALSO}|for you?"):
            yield place, said
            if said.values or said.same:
                items: Rule = lambda at: [*self.everything(at), *self.counted(at)]  # noqa: E731
                for end, (ref,) in self.seq(place, ",?", "just|much|exactly?", phrases("as is"), _THAT_OF, items):
                    yield end, with_like(said, ref)
                for end, (amount,) in self.seq(place, ",?", "just?", phrases("as is"), self.amount):
                    if not said.same and not said.like and self.is_amount(amount, said):
                        yield end, said
                for end, (ref,) in self.seq(place, ",?", "just as|as", self.everything, "is|are|was|were|does|do|has"):
                    yield end, with_like(said, ref)
                for end, (ref,) in self.seq(place, ",?", "the same as", "for|that of|with?", self.items):
                    yield end, with_like(said, ref)
            for end, (sort, ref) in self.seq(place, ",", "the", self.sort, "of|that", self.items):
                yield end, said | Said(same=((_one(sort), ref),), marks=ref.marks)
            for end, (same,) in self.seq(place, ",", self.same):
                yield end, said | same
            for value in said.values:
                one = Said((value,))
                verbs = self.verbs_of(one) or "also made"
                for end, (ref,) in self.seq(place, ",?", "who|which|whom|that", verbs, self.everything):
                    if has(self.lexicon, value, ref):
                        yield end, said | Said(marks=ref.marks)
                for end, (ref,) in self.seq(place, ",?", "whose", self.titled, "you", self.had, ",?"):
                    if has(self.lexicon, value, ref):
                        yield end, said | Said(marks=ref.marks)
                for end, (_, ref) in self.seq(place, ",?", "who|which|that", self.is_the(value.kind), self.everything):
                    if has(self.lexicon, value, ref):
                        yield end, said | Said(marks=ref.marks)

    def is_the(self, *kinds: str) -> Rule:
        """Return the rule that reads "is also the author of", "is that of"."""
        return lambda start: self._is_the(start, frozenset(kinds))

    def _is_the(self, start: int, kinds: frozenset[str]) -> Iterator[tuple[int, Said]]:
        for place in self.words(start, "is|s|was|are|were"):
            for middle in self.words(place, f"{ALSO}?"):
                for end, (sort,) in self.seq(middle, "the", self.sort, "of|behind"):
                    if sort.kinds & kinds:
                        yield end, Said()
                yield from ((end, Said()) for end in self.words(middle, "that of|the one of|the same for"))

    def taste(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read what the user is said to like; each fact must be one of several history items, or of many of them."""
        for end, said in self.listed(start, lambda at: self._with_noun(at)):
            if said.values and all(self._is_taste(value) for value in said.values):
                yield end, said

    def _with_noun(self, start: int) -> Iterator[tuple[int, Said]]:
        for end, said in self.value(start):
            for after in self.words(end, f"{self.nouns}?"):
                yield after, said

    def is_most(self, value: Value) -> bool:
        """Return whether at least half of the history has a fact."""
        return 0 < self.lexicon.total <= 2 * self.lexicon.counts[value]

    def _is_taste(self, value: Value) -> bool:
        count = len(common_owners(self.lexicon, [value]))
        return count >= 2 or 0 < self.lexicon.total <= 3 * count


def _one(sort: Sort) -> Sort:
    """Return a noun in the plural as one in the singular: "the makers of Night Train" are one maker."""
    return Sort(sort.kinds)


def _shared_with(shared: Said, ref: Ref) -> Said:
    """Return what is shared as said of an item that shares it with a reference."""
    same = tuple((sort, ref) for sort, _ in shared.same)
    return Said(shared.values, same, (ref,) if shared.values else (), shared.marks + ref.marks)
