"""Sentences that the verifier understands: clauses with what joins them, opens them and echoes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mmrec.explain.verify.clauses import Clauses
from mmrec.explain.verify.matching import Rule, TooLong
from mmrec.explain.verify.meaning import Clause, Ref, Said, has, holds_of, similar
from mmrec.explain.verify.predicates import BE
from mmrec.explain.verify.references import ALSO
from mmrec.explain.verify.wording import phrases, templates, verbs_of_maker

_END = frozenset(".!")
_AGAIN = frozenset({"another", "more", "else", "too", "also", "well", "likewise"})
"""Words that say something of the items named before as well."""
_AUXILIARY = "is|are|was|were|does|do|did|has|have"


class Sentence(Clauses):
    """One sentence: it is understood if `read` finds a way to read it whole whose claims all hold."""

    def read(self, meant: frozenset[str], last: Clause) -> tuple[Clause, frozenset[str]] | None:
        """Return what the sentence says, None if it cannot be read or something in it does not hold.

        Args:
            meant: history titles that "it" can mean at its start, those of the last clause before.
            last: the sentence before, for "So is the Basic tee."

        Returns:
            What it says, and the history titles that "it" can mean after it.
        """
        try:
            readings = [*self.sentence(0)] + [(end, replace(c, parts=((0, c),))) for end, c in self._echo(0, last)]
        except TooLong:
            return None
        for end, clause in readings:
            rest = [token.key for token in self.tokens[end:]]
            if not rest or (len(rest) == 1 and (rest[0] in _END or (rest[0] == "?" and clause.offers))):
                after = self._meant_after(clause, meant)
                if after is not None:
                    return clause, after
        return None

    def _meant_after(self, clause: Clause, meant: frozenset[str]) -> frozenset[str] | None:
        """Return the history titles that "it" can mean after clauses; None if one does not hold of all it can mean.

        In "You watched Night Train. It is a drama." a reader takes "it" for Night Train.
        """
        ends = [*(start for start, _ in clause.parts[1:]), len(self.tokens)]
        here: frozenset[str] = frozenset()
        for (start, part), end in zip(clause.parts, ends, strict=True):
            if not part.about.own:
                meant = part.about.titles or meant
                here = part.about.titles or here
            elif not self._holds_again(start, end, part, here, meant):
                return None
            elif self._names_own(start, end, part):
                meant = frozenset()
            elif meant and not part.offers:
                said = part.said
                if not holds_of(Ref(titles=meant), Said(said.values), self.lexicon):
                    return None
                if said.like and not said.values and not any(meant <= ref.titles for ref in said.like):
                    return None
        return meant

    def _holds_again(
        self, start: int, end: int, clause: Clause, here: frozenset[str], meant: frozenset[str] = frozenset()
    ) -> bool:
        """Return whether a clause that says "another", "too" or "the same" holds of the items named just before.

        In "You bought the Basic tee, and this is a vest top too" a reader takes the tee for a vest top.

        Args:
            start: first place of the clause.
            end: place after the clause.
            clause: what it says of the recommended item.
            here: history items named before the clause in the same sentence.
            meant: history items named in the sentence before, for a sentence that names none.
        """
        mentions = self.mentions(start, end)
        titles = frozenset(title for _, title in mentions) | here or meant
        behind = max((place for place, _ in mentions), default=start)
        words, said = {token.key for token in self.tokens[behind:end]}, clause.said
        if not titles or said.like:
            return True
        if words & _AGAIN and said.values:
            return holds_of(Ref(titles=titles), Said(said.values), self.lexicon)
        return "same" not in words or not any(ref.titles < titles for _, ref in said.same if ref.titles)

    def _names_own(self, start: int, end: int, clause: Clause) -> bool:
        """Return whether a clause names the recommended item, by its title, "this film" or "another film".

        Words that are read as a fact are not a name: "the Heron collection" is not the Heron collection corduroy shoes.
        """
        if any(token.key in ("this", "these", "another", "more") for token in self.tokens[start:end]):
            return True
        named = ((p, e) for p in range(start, end) for e, entry in self.entries(p) if entry.title == "" and entry.whole)
        return any(not any(first < e and p < last for first, last, _ in clause.marks) for p, e in named)

    def sentence(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read clauses that are joined by commas, semicolons, colons, dashes and "and"."""
        yield from self.once("sentence", start, self._sentence)

    def _sentence(self, start: int) -> Iterator[tuple[int, Clause]]:
        for end, opened in self._opened(start):
            first = replace(opened, parts=((start, opened),))
            yield end, first
            for place in self.words(end, ", and|; and|, so|,|;|:|-|and|so|, while"):
                for last, echo in self._echo(place, first):
                    whole = first | replace(echo, parts=((place, echo),))
                    yield last, whole
                    for middle in self.words(last, ", and|, so|;"):
                        for final, others in self.sentence(middle):
                            yield final, whole | others
                for last, others in self.sentence(place):
                    yield last, first | others
            if first.offers:
                for last, (ref,) in self.seq(end, ",?", phrases("items in front"), self.items):
                    again = self._holds_again(start, end, first, ref.titles)
                    if again and similar(self.lexicon, Ref(own=True) | ref):
                        yield last, replace(first, marks=first.marks + ref.marks)
                for last, (said,) in self.seq(end, "for its|for the", lambda at: self.listed(at, self.value)):
                    for final, (ref,) in ((last, (Ref(),)), *self.seq(last, ",?", "which you know from", self.items)):
                        if not ref.titles or holds_of(ref, said, self.lexicon):
                            yield final, replace(first, marks=first.marks + said.marks + ref.marks, said=said)
                for place in self.words(end, phrases("reasons behind")):
                    for last, others in self.sentence(place):
                        if self._holds_again(start, end, first, others.about.titles):
                            yield last, replace(first, marks=first.marks + others.marks, said=others.said)
                for parts in templates("wishes in front"):
                    for place in self.words(end, ",?"):
                        for last, meanings in self.template(place, parts):
                            marks = tuple(mark for meaning in meanings if meaning for mark in meaning.marks)
                            titles = frozenset(t for m in meanings if isinstance(m, Ref) for t in m.titles)
                            if self._holds_again(start, end, first, titles):
                                yield last, replace(first, marks=first.marks + marks)

    def _opened(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a clause, with a subordinate clause or a phrase in front."""
        for place in self.words(start, f"{phrases('adverbs in front')}?"):
            for middle in self.words(place, ",?"):
                yield from self.clause(middle)
        for end, (reason, main) in self.seq(
            start, phrases("reasons in front"), self._reasons, ",?", "then|so?", self.clause
        ):
            if main.offers and self._holds_again(start, end, main, reason.about.titles):
                yield end, reason | main
        for parts in templates("wishes in front"):
            for place, meanings in self.template(start, parts):
                for middle in self.words(place, ","):
                    for end, main in self.clause(middle):
                        if main.offers or main.about.own:
                            marks = tuple(mark for meaning in meanings if meaning for mark in meaning.marks)
                            yield end, Clause(marks) | main
        for end, (_, main) in self.seq(start, "among|in|of", self.history, ",?", self.clause):
            if main.about.titles and not main.about.own:
                yield end, main
        for end, (reason, main) in self.seq(start, "because", self._reasons, ":", self._also_said):
            if self._holds_again(start, end, main, reason.about.titles):
                yield end, reason | main
        for end, (ref, main) in self.seq(
            start, "like|just like|as with|as for|as in|as on", "that of?", self.items, ",?", self.clause
        ):
            if self._also_of(main, ref):
                yield end, Clause(ref.marks) | main
        for end, (ref, main) in self.seq(start, phrases("items in front"), self.items, ",?", self.clause):
            if similar(self.lexicon, Ref(own=True) | ref):
                yield end, Clause(ref.marks) | main
        yield from self._with_front(start)

    def _with_front(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "Published by Northgate, like Ember Caravan, it ...", "Bright and blue, these trousers ..."."""
        fronts: list[Rule] = [
            lambda at: self.with_additions(at, Said()),
            lambda at: self.listed(at, lambda a: self.bare_value(a, None)),
            lambda at: [found for place in self.words(at, "as|being?") for found in self.described(place)],
        ]
        for rule in fronts:
            for end, said in rule(start):
                for middle, whole in self.tail(end, said):
                    if not holds_of(Ref(own=True), whole, self.lexicon) or (whole.like and not whole.values):
                        continue
                    if not self.fits_before(start, whole):
                        continue
                    for last, (main,) in self.seq(middle, ",", self.clause):
                        if main.about.own:
                            yield last, Clause(whole.marks, whole) | main

    def _also_said(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a clause that ends in "too" or "as well"."""
        for end, clause in self.clause(start):
            if self.tokens[end - 1].key in ("too", "well"):
                yield end, clause

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
        """Read what says of something else what was said before.

        "so is the Basic tee", "the Basic tee is too", "as does this one", "which holds for this one too", and of the
        maker that was named: "she is the director of this film too".
        """
        values = before.said.values
        if not values:
            return
        forms: list[tuple[str | Rule, ...]] = [
            ("so|as", _AUXILIARY, "that of|those of?", self.everything),
            (self.everything, _AUXILIARY, "too|as well|also|likewise" + ("|both" if len(values) == 2 else "")),
            (phrases("holds of"), self.everything, f"{ALSO}?"),
        ]
        for parts in forms:
            for end, (ref,) in self.seq(start, *parts):
                if holds_of(ref, Said(values), self.lexicon):
                    yield end, Clause(ref.marks, before.said, ref)
        for value in values:
            for end, (ref,) in self.seq(start, "it|she|he|they", verbs_of_maker(value.kind), self.everything):
                if has(self.lexicon, value, ref):
                    yield from ((last, Clause(ref.marks, before.said, ref)) for last in self.words(end, f"{ALSO}?"))
            for end, (sort, ref) in self.seq(
                start, "it|she|he|they", BE, "also?", "the", self.sort, "of", self.everything
            ):
                if value.kind in sort.kinds and has(self.lexicon, value, ref):
                    yield from ((last, Clause(ref.marks, before.said, ref)) for last in self.words(end, f"{ALSO}?"))
