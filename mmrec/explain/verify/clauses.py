"""Clauses and sentences that the verifier understands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mmrec.explain.verify.matching import Rule
from mmrec.explain.verify.meaning import Mark, Ref, Said, common_owners, has, holds_of, similar
from mmrec.explain.verify.phrases import ALSO, COUNTS, IMAGE, VERBS, Phrases

_BE = "is|are|was|were|s|re"
_MAY = "may|might|could"
_LIKE = "like|enjoy"
_AT_LEAST = {"some": 2, "a few": 2, "a couple of": 2, "several": 3}


@dataclass(frozen=True)
class Clause:
    """A clause whose claims hold.

    Args:
        marks: words with their statements.
        said: what it says of its subject, for "and so is ...".
        about: its subject.
        offers: whether it only offers the item ("you may like it"), so that a reason may be given.
        parts: (place, clause) of the independent clauses it is made of.
    """

    marks: tuple[Mark, ...] = ()
    said: Said = field(default_factory=Said)
    about: Ref = field(default_factory=Ref)
    offers: bool = False
    parts: tuple[tuple[int, Clause], ...] = ()

    def __or__(self, other: Clause) -> Clause:
        said = other.said if other.said.values else self.said
        offers, parts = self.offers or other.offers, self.parts + other.parts
        return Clause(self.marks + other.marks, said, other.about, offers, parts)


class Sentence(Phrases):
    """One sentence: it is understood if `read` finds a way to read it whole whose claims all hold."""

    def read(self, meant: frozenset[str] = frozenset()) -> tuple[Clause, frozenset[str]] | None:
        """Return what the sentence says, None if it cannot be read or something in it does not hold.

        Args:
            meant: history titles that "it" can mean at its start, those of the last clause before.

        Returns:
            What it says, and the history titles that "it" can mean after it.
        """
        for end, clause in self.sentence(0):
            for place in self.words(end, ".|!?"):
                if place == len(self.tokens):
                    after = self._meant_after(clause, meant)
                    if after is not None:
                        return clause, after
        return None

    def _meant_after(self, clause: Clause, meant: frozenset[str]) -> frozenset[str] | None:
        """Return the history titles that "it" can mean after clauses; None if one does not hold of all it can mean.

        In "You watched Night Train. It is a drama." a reader takes "it" for Night Train.
        """
        ends = [*(start for start, _ in clause.parts[1:]), len(self.tokens)]
        for (start, part), end in zip(clause.parts, ends, strict=True):
            if not part.about.own:
                meant = part.about.titles or meant
            elif self._names_own(start, end):
                meant = frozenset()
            elif meant and not part.offers and not holds_of(Ref(titles=meant), Said(part.said.values), self.lexicon):
                return None
        return meant

    def _names_own(self, start: int, end: int) -> bool:
        """Return whether some words name the recommended item, by its title, "this film" or "another film"."""
        return any(
            self.tokens[place].key in ("this", "these", "another", "more")
            or any(entry.title == "" and entry.whole for _, entry in self.entries(place))
            for place in range(start, end)
        )

    def sentence(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read clauses that are joined by commas, semicolons, colons, dashes and "and"."""
        yield from self.once("sentence", start, self._sentence)

    def _sentence(self, start: int) -> Iterator[tuple[int, Clause]]:
        for end, opened in self._opened(start):
            first = replace(opened, parts=((start, opened),))
            yield end, first
            for place in self.words(end, ", and|; and|, so|,|;|:|-|and|so"):
                for last, (echo,) in self.seq(place, lambda at, c=first: self._echo(at, c)):  # type: ignore[misc]
                    yield last, first | replace(echo, parts=((place, echo),))
                for last, others in self.sentence(place):
                    yield last, first | others
            if first.offers:
                for place in self.words(end, "because|, because|since|, since|as|, as"):
                    for last, others in self.sentence(place):
                        yield last, replace(first, marks=first.marks + others.marks, said=others.said)

    def _opened(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a clause, with a subordinate clause or a phrase in front."""
        for place in self.words(start, "in addition|also|plus|overall|as a whole?"):
            for middle in self.words(place, ",?"):
                yield from self.clause(middle)
        for end, (reason, main) in self.seq(
            start, "because|since|as|if|given that|when", self._reasons, ",?", "then|so?", self.clause
        ):
            if main.offers:
                yield end, reason | main
        for end, (ref, main) in self.seq(start, "if you", f"{_LIKE}|liked|enjoyed", self.items, ",?", self.clause):
            if main.offers:
                yield end, Clause(ref.marks) | main
        for end, (reason, main) in self.seq(start, "because", self._reasons, ":", self._also_said):
            yield end, reason | main
        for end, (ref, main) in self.seq(
            start, "like|just like|as with|as for", "that of?", self.items, ",?", self.clause
        ):
            if self._also_of(main, ref):
                yield end, Clause(ref.marks) | main
        for end, (ref, main) in self.seq(
            start, "based on|given|similar to|close to|because of|thanks to", self.items, ",?", self.clause
        ):
            if similar(self.lexicon, Ref(own=True) | ref):
                yield end, Clause(ref.marks) | main
        fronts: list[tuple[str | Rule, ...]] = [
            (lambda at: self._with_additions(at, Said()), ",", self.clause),
            (lambda at: self.listed(at, self._quality), ",", self.clause),
        ]
        for parts in fronts:
            for end, (said, main) in self.seq(start, *parts):
                if not said.like and holds_of(Ref(own=True), said, self.lexicon) and main.about.own:
                    yield end, Clause(said.marks) | main

    def _also_said(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a clause that ends in "too" or "as well"."""
        for end, clause in self.clause(start):
            if self.tokens[end - 1].key in ("too", "well"):
                yield end, clause

    def _quality(self, start: int) -> Iterator[tuple[int, Said]]:
        yield from self._bare_value(start, None)

    def _reasons(self, start: int) -> Iterator[tuple[int, Clause]]:
        for end, first in self.clause(start):
            yield end, first
            for place in self.words(end, "and|, and"):
                for last, others in self._reasons(place):
                    yield last, first | others

    def _also_of(self, clause: Clause, ref: Ref) -> bool:
        """Return whether what a clause says of the recommended item holds of history items too."""
        if clause.said.values or clause.said.same:
            return holds_of(clause.about | ref, Said(clause.said.values, clause.said.same), self.lexicon)
        return similar(self.lexicon, Ref(own=True) | ref)

    def _echo(self, start: int, before: Clause) -> Iterator[tuple[int, Clause]]:
        """Read "so is the Basic tee": what was said before is said of something else."""
        if before.said.values:
            for end, (ref,) in self.seq(start, "so", "is|are|was|were|does|do", "that of?", self.everything):
                if holds_of(ref, Said(before.said.values), self.lexicon):
                    yield end, Clause(ref.marks, before.said, ref)

    def clause(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read one clause."""
        yield from self.once("clause", start, self._clause)

    def _clause(self, start: int) -> Iterator[tuple[int, Clause]]:
        for rule in (
            self._of_items, self._of_history, self._of_liking, self._of_recommending, self._of_kinds, self._of_makers,
            self._of_images, self._fragment, self._of_user,
        ):  # fmt: skip
            yield from rule(start)

    def _of_items(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "this crime film is by Ana Lopez", "both are from 1997"."""
        for end, (ref, said) in self.seq(start, self.everything, self.predicate):
            if not holds_of(ref, said, self.lexicon):
                continue
            yield end, Clause(ref.marks + said.marks, Said(said.all_values, said.same), ref)
        for end, (ref,) in self.seq(
            start,
            self.own,
            f"{_MAY}|should?",
            "also|well?",
            "suit you|fit you|appeal to you|interest you|be for you|be a good fit|be a good match|suit your taste",
        ):
            yield end, Clause(ref.marks, about=ref, offers=True)
        for end, (ref, said) in self.seq(start, self.own, _MAY, "also?", self._verb_with_items):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(ref.marks + said.marks, said, ref)

    def _of_history(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "you watched Night Train", "you have two dark blue items in your history"."""
        before = "you|you already|you once"
        after = "before|earlier|in the past|in your history|already?"
        for end, (ref,) in self.seq(start, before, self.had, self.items, after):
            if not ref.more or any(has(self.lexicon, value, ref) for value in self.lexicon.owners):
                yield end, Clause(ref.marks, Said(ref.values), ref)
        for place in self._after(start, before, self.had):
            for end, clause in self._counted(place):
                for last in self.words(end, after):
                    yield last, clause
        for place in self._after(start, "your history", "has|includes|holds|contains"):
            yield from self._counted(place)
            for end, ref in self.items(place):
                yield end, Clause(ref.marks, Said(ref.values), ref)
        for place in self._after(start, "in your history there are|in your history, there are|there are"):
            yield from self._counted(place)
        for end, (said, ref) in self.seq(start, "in", self.value, ",", "you", self.had, self.items):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, ref)

    def _after(self, start: int, *parts: str) -> Iterator[int]:
        for end, _ in self.seq(start, *parts):
            yield end

    def _counted(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read how many history items have some facts, and perhaps which: "two crime films, A and B"."""
        for end, said in self.described(start):
            owners = common_owners(self.lexicon, said.values)
            if said.values and owners and not said.like and self._holds_in_history(said):
                yield from self._named(end, said, owners)
                for last in self.words(end, "twice"):
                    if self._count_of(said) == 2:
                        yield last, Clause(said.marks, said, Ref(titles=owners))
        for phrase, least in (*COUNTS.items(), *_AT_LEAST.items()):
            for place in self.words(start, phrase):
                for middle in self.words(place, "pairs of?"):
                    for end, said in self.described(middle):
                        owners = common_owners(self.lexicon, said.values)
                        count = self._count_of(said)
                        fits = count == least if phrase in COUNTS else count >= least
                        if said.values and fits and self._holds_in_history(said):
                            yield from self._named(end, said, owners)

    def _named(self, start: int, said: Said, owners: frozenset[str]) -> Iterator[tuple[int, Clause]]:
        for place in self.words(start, "in|from|in your history|from your history?"):
            if place > start and self.tokens[place - 1].key != "history":
                continue
            yield place, Clause(said.marks, said, Ref(titles=owners))
            for end, (ref,) in self.seq(place, ",|:", self.items):
                if ref.titles <= owners:
                    for last in self.words(end, ",?"):
                        yield last, Clause(said.marks + ref.marks, said, ref)

    def _count_of(self, said: Said) -> int:
        counts = [self.lexicon.counts[value] for value in said.values]
        return counts[0] if len(counts) == 1 else len(common_owners(self.lexicon, said.values))

    def _holds_in_history(self, said: Said) -> bool:
        """Return whether what is said of history items has no comparison that cannot be checked for them."""
        return not said.same

    def _of_liking(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "you may like it", "you like crime films", "your taste for crime"."""
        for end, (thing,) in self.seq(start, "you", _MAY, "also|even?", _LIKE, self._offered):
            yield end, thing
        for end, (said,) in self.seq(
            start, "you", "seem to|often|often seem to", f"{_LIKE}|choose|pick|prefer|watch|buy", self.taste
        ):
            words = {token.key for token in self.tokens[start:end]}
            if not words & {"often", "prefer"} or all(self._is_most(value) for value in said.values):
                yield end, Clause(said.marks)
        for end, (said,) in self.seq(start, "your", "taste|interest|liking", "for|in", self.taste):
            for place in self.words(
                end, "is a good match for|is a match for|fits|matches|goes with|makes|is a reason for"
            ):
                for after, ref in self.own(place):
                    for last in self.words(after, "a good fit|a good match?"):
                        yield last, Clause(said.marks + ref.marks, about=ref)
        for end, (ref, said) in self.seq(
            start, self.own, "matches|fits|suits", "your", "taste|interest", "for|in", self.taste
        ):
            yield end, Clause(ref.marks + said.marks, about=ref)
        for end, (own, ref) in self.seq(
            start, self.own, "go|goes", "with your history as a whole", ",", "such as", self.items
        ):
            if not ref.more:
                yield end, Clause(own.marks + ref.marks, about=own)

    def _offered(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read the recommended item as an object: "it", "this top", "another crime film by Ana Lopez"."""
        for end, ref in self.own(start):
            if holds_of(ref, Said(), self.lexicon):
                yield end, Clause(ref.marks, about=ref, offers=True)
                for after, (said,) in self.seq(end, self.addition):
                    if holds_of(ref, said, self.lexicon):
                        yield after, Clause(ref.marks + said.marks, said, ref, True)
                for after, (said,) in self.seq(end, ",?", "which|that", self.predicate):
                    if holds_of(ref, said, self.lexicon):
                        yield after, Clause(ref.marks + said.marks, said, ref, True)
        for end, said in self.described(start):
            if holds_of(Ref(own=True), said, self.lexicon):
                yield end, Clause(said.marks, said, Ref(own=True), True)

    def _of_recommending(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "we recommend it", "it is recommended", "here is another"."""
        for end, (thing,) in self.seq(start, "we|we also", "recommend|suggest", self._offered):
            yield end, thing
        for end, (ref,) in self.seq(start, self.own, _BE, "recommended|suggested", "to you|for you?"):
            yield end, Clause(ref.marks, about=ref, offers=True)
        for end, _ in self.seq(start, "recommended|suggested", "to you|for you?"):
            yield end, Clause(about=Ref(own=True), offers=True)
        for end, (thing,) in self.seq(start, "here is|here are", self._offered):
            yield end, thing
        more = "one more|another|another one|another pair"
        for end, _ in self.seq(start, "here is|this is|these are|it is|it s", more):
            yield end, Clause(about=Ref(own=True), offers=True)
        for end, _ in self.seq(start, "this is|it is|and this is|this is also", "one", "of them?"):
            yield end, Clause(about=Ref(own=True), offers=True)

    def _of_kinds(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "its colour is dark blue, as is that of the Basic tee", "the genres are crime and drama"."""
        own = Ref(own=True)
        for place in self.words(start, "its|the|their"):
            for end, kinds in self.kind_noun(place):
                facts = self.facts(*kinds)
                for middle in (end, *(after for after, _ in self.seq(end, "of", self.own))):
                    for after, (said,) in self.seq(middle, _BE, "also?", facts):
                        for last, whole in self._tail(after, said):
                            if holds_of(own, whole, self.lexicon):
                                yield last, Clause(whole.marks, whole, own)
                    yield from self._kind_like(middle, kinds)
                for after, (said,) in self.seq(end, ",", self.of_kind(*kinds), ","):
                    for last, clause in self._kind_like(after, kinds):
                        of = clause.said.same[0][1]
                        if all(has(self.lexicon, value, of) for value in said.values):
                            yield last, Clause(said.marks) | clause
                    yield from self._maker_of(after, said, kinds)

    def _kind_like(self, start: int, kinds: frozenset[str]) -> Iterator[tuple[int, Clause]]:
        own = Ref(own=True)
        for end, (ref,) in self.seq(
            start, f"{_BE}", "also?", "that of|the same as that of|the same as|the same as for|the one of", self.items
        ):
            said = Said(same=((kinds, ref),))
            if holds_of(own, said, self.lexicon):
                yield end, Clause(ref.marks, said, own)

    def _of_makers(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "Ana Lopez, the director of Night Train, directed it", "Tom Reed and Mia Novak star in it"."""
        for end, said in self.listed(start, self.of_kind("director", "actor", "brand", "author", "artist")):
            kinds = frozenset(value.kind for value in said.values)
            yield from self._maker_of(end, said, kinds)
            for after, (kind, ref) in self.seq(end, ",", "the", self.kind_noun, "of|behind", self.items):
                if kind & kinds and holds_of(ref, said, self.lexicon):
                    for place in self.words(after, ",?"):
                        for last, clause in self._maker_of(place, said, kinds):
                            yield last, Clause(ref.marks) | clause
            for after, (ref,) in self.seq(
                end, ",", "who|which", ALSO + "?", "is in|stars in|appears in|directed|made|wrote", self.items
            ):
                if holds_of(ref, said, self.lexicon):
                    for place in self.words(after, ",?"):
                        for last, clause in self._maker_of(place, said, kinds):
                            yield last, Clause(ref.marks) | clause
        for end, (said,) in self.seq(
            start, "a|an|the", self.of_kind("text"), "is in the story|is in its story|is mentioned|is in it"
        ):
            for last, whole in self._tail(end, said):
                if holds_of(Ref(own=True), whole, self.lexicon):
                    yield last, Clause(whole.marks, whole, Ref(own=True))

    def _maker_of(self, start: int, said: Said, kinds: frozenset[str]) -> Iterator[tuple[int, Clause]]:
        """Read the verb of a maker and what was made: "directed this film too, and it made X as well"."""
        for kind in (kind for kind in kinds if {value.kind for value in said.values} == {kind}):
            for end, (ref,) in self.seq(start, VERBS.get(kind, "made"), self.everything):
                if holds_of(ref, said, self.lexicon):
                    for last in self.words(end, f"{ALSO}?"):
                        yield last, Clause(said.marks + ref.marks, said, ref)
                        yield from self._maker_also(last, kind, Clause(said.marks + ref.marks, said, ref))

    def _maker_also(self, start: int, kind: str, before: Clause) -> Iterator[tuple[int, Clause]]:
        """Read "and it made Night Train too" after a clause about the same maker."""
        for end, (ref,) in self.seq(start, ", and|and", "it|she|he", VERBS.get(kind, "made"), self.everything):
            if holds_of(ref, before.said, self.lexicon):
                for last in self.words(end, f"{ALSO}?"):
                    yield last, Clause(before.marks + ref.marks, before.said, before.about)

    def _of_images(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "its poster shows a city at night, like the poster of Glass Tower"."""
        own = Ref(own=True)
        for end, (_, said) in self.seq(
            start, "its|the|their", IMAGE, self._of_own, "shows|show|is|has|are", self.facts("image"),
        ):  # fmt: skip
            for place in self.words(end, "on it|in it?"):
                for last, whole in self._tail(place, said):
                    if holds_of(own, whole, self.lexicon):
                        yield last, Clause(whole.marks, whole, own)
        for end, (_, said) in self.seq(
            start, "its|the|their", "description|text|story", self._of_own, "mentions|has the word", self._words
        ):
            for last, whole in self._tail(end, said):
                if holds_of(own, whole, self.lexicon):
                    yield last, Clause(whole.marks, whole, own)
        for end, (said,) in self.seq(start, "the cast", "includes|has", self.facts("actor")):
            yield end, Clause(said.marks, said, own)
            for after, (ref,) in self.seq(end, ",", "who", ALSO + "?", "appears in|stars in|is in", self.items):
                if holds_of(ref, said, self.lexicon):
                    yield after, Clause(said.marks + ref.marks, said, own)

    def _of_own(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read "of this film", perhaps nothing."""
        yield start, Ref(own=True)
        for end, (ref,) in self.seq(start, "of", self.own):
            yield end, ref

    def _fragment(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a noun phrase alone: "another crime film by Ana Lopez"."""
        for end, said in self.described(start):
            for last, whole in self._tail(end, said):
                if holds_of(Ref(own=True), whole, self.lexicon):
                    yield last, Clause(whole.marks, whole, Ref(own=True))

    def _of_user(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "your Basic tee and this top share the same colour", "of all that you watched, Heat counts most"."""
        influence: list[tuple[str | Rule, ...]] = [
            ("of all|of all that", "you", self.had, ",", self.items, "counts most|count most", "for this?"),
            (self.items, "played the largest part in this", "choice|suggestion|recommendation"),
        ]
        for end, (ref,) in (found for parts in influence for found in self.seq(start, *parts)):
            titles = [*self.lexicon.influence]
            if titles and not ref.more and ref.titles in ({*titles}, {titles[0]}):
                name = self.lexicon.influence[titles[0]]
                yield end, Clause(tuple((first, last, name) for first, last, _ in ref.marks), about=ref)
        for end, (ref,) in self.seq(
            start, self.items, "played a large part in this", "choice|suggestion|recommendation", "as well|too?"
        ):
            if ref.titles and not ref.more and ref.titles <= self.lexicon.influence.keys():
                name = self.lexicon.influence[min(ref.titles)]
                yield end, Clause(tuple((first, last, name) for first, last, _ in ref.marks), about=ref)
        for end, (ref, same) in self.seq(start, self.everything, "share|have", self._same_kinds):
            if all(holds_of(ref, Said(same=((kind, Ref()),)), self.lexicon) for kind in same):
                yield end, Clause(ref.marks, about=ref)
