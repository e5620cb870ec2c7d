"""Clauses that the verifier understands."""

from __future__ import annotations

from collections.abc import Iterator

from mmrec.explain.facts import MAKERS
from mmrec.explain.verify.lexicon import Lexicon
from mmrec.explain.verify.matching import Rule
from mmrec.explain.verify.meaning import (
    Amount,
    Clause,
    Ref,
    Said,
    Sort,
    common_owners,
    has,
    holds_of,
    similar,
    with_like,
)
from mmrec.explain.verify.predicates import BE
from mmrec.explain.verify.references import ALSO
from mmrec.explain.verify.subjects import Subjects
from mmrec.explain.verify.tokens import Token
from mmrec.explain.verify.wording import by_modalities, phrases, templates, with_adverbs

_AT_LEAST = {"some": 2, "a few": 2, "a couple of": 2, "several": 3}
_BEFORE = "before|earlier|in the past|in your history|already"
_LIKE = "like|enjoy"


class Clauses(Subjects):
    """Rules of clauses."""

    def __init__(self, tokens: list[Token], lexicon: Lexicon, mentioned: frozenset[str] = frozenset()) -> None:
        super().__init__(tokens, lexicon, mentioned)
        self.rules |= {"thing": self.offered, "wish": self.wished, "items": self.items}

    def clause(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read one clause."""
        yield from self.once("clause", start, self._clause)

    def _clause(self, start: int) -> Iterator[tuple[int, Clause]]:
        for rule in (
            self._of_items, self._of_history, self._of_amounts, self._of_offers, self._of_liking, self.of_subjects,
            self._fragment, self._of_closeness, self._of_influence, self._of_sharing,
        ):  # fmt: skip
            yield from rule(start)

    def _of_items(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "this crime film is by Ana Lopez", "A, B and this film: all three are from 1997"."""
        for end, (ref, said) in self.seq(start, self.everything, self.predicate):
            whole = said if ref.own else said.with_object(Ref(own=True))
            if holds_of(ref, whole, self.lexicon):
                yield end, Clause(ref.marks + said.marks, Said(said.all_values, said.same, said.like), ref)
        for end, (ref,) in self.seq(start, self.everything, ",|:"):
            words = {2: "both|both of them|the two", 3: "all three|all of them"}.get(ref.size, "all of them")
            for last, (said,) in self.seq(end, f"{words}|all", self.predicate):
                if ref.size > 1 and holds_of(ref, said, self.lexicon):
                    yield last, Clause(ref.marks + said.marks, Said(said.all_values, said.same), ref)
        for end, (ref, other, said) in self.seq(
            start, self.everything, ",", phrases("similar"), self.items, ",?", self.predicate
        ):
            whole = with_like(said, other)
            if said.values and holds_of(ref, whole, self.lexicon):
                yield end, Clause(ref.marks + whole.marks, said, ref)
        for end, (ref, said) in self.seq(start, self.own, "may|might|could|would", "also|well?", self.verb_with_items):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(ref.marks + said.marks, said, ref)
        for end, (ref,) in self.seq(start, phrases("reasons in items"), self.items):
            if similar(self.lexicon, Ref(own=True) | ref) and self.lexicon.evidence.history_read is not False:
                yield end, Clause(ref.marks, about=Ref(own=True), offers=True)
        for end, (said, ref) in self.seq(start, self.addition, "comes|come", self.own):
            if said.values + said.same and holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, ref)
        found = "we found|it was found to be|it turned out to be"
        for end, (said,) in self.seq(start, found, "it|this|this one|them?", "to be?", self.addition):
            if said.like and not said.values and holds_of(Ref(own=True), said, self.lexicon):
                yield end, Clause(said.marks, about=Ref(own=True))

    # The history.

    def _of_history(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "you watched Night Train", "you have two dark blue items in your history"."""
        before = "you|you already|you once"
        after = f"{_BEFORE}?"
        for end, (ref,) in self.seq(start, before, self.had, self.items, after):
            if not ref.more or any(has(self.lexicon, value, ref) for value in self.lexicon.owners):
                yield end, Clause(ref.marks, Said(ref.values), ref)
        for place in self.after(start, before, self.had):
            for end, clause in self._counted(place):
                for last in self.words(end, after):
                    yield last, clause
        for end in self.after(start, self.history, phrases("verbs of history")):
            yield from self._counted(end)
            for last, ref in self.seq_of(end, self.items, "in it?"):
                yield last, Clause(ref.marks, Said(ref.values), ref)
        for place in self.after(start, "in|among", self.history, ",?", "there are|there is|are|is"):
            yield from self._counted(place)
            yield from ((last, Clause(ref.marks, about=ref)) for last, ref in self.items(place))
        for place in self.words(start, "there are"):
            yield from self._counted(place)
        for end, (ref, _) in self.seq(start, self.items, with_adverbs("in history"), self.history):
            if ref.titles:
                yield end, Clause(ref.marks, about=ref)
        for end, (said, ref) in self.seq(start, "in", self.value, ",", "you", self.had, self.items):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, ref)
        yield from self._of_known(start)

    def _of_known(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "crime has come up in your history before, with A and B", "you know Ana Lopez from Night Train"."""
        for end, said in (
            *self.described(start), *self.listed(start, self.value), *self._both_facts(start), *self._named_kind(start),
        ):  # fmt: skip
            owners = common_owners(self.lexicon, said.values)
            apart = "and" in {token.key for token in self.tokens[start:end]}  # "crime and drama", each of another item
            found = owners or (apart and all(self.lexicon.counts[value] for value in said.values))
            if said.same or said.like or not said.values or not found or self._is_own(start, end):
                continue
            for middle, ref in ((end, Ref()), *self.seq_of(end, ",?", "such as|like", self.items, ",?")):
                if not holds_of(ref, said, self.lexicon) and ref.titles:
                    continue
                for place in self.after(
                    middle, ALSO + "?", with_adverbs("in history"), self.history, f"{ALSO}|before?"
                ):
                    whole = Clause(said.marks + ref.marks, said, Ref(titles=owners))
                    yield place, whole
                    for last, (named,) in self.seq(place, ",?", "with|in|as in|namely|thanks to", self.items):
                        if holds_of(named, said, self.lexicon):
                            yield last, Clause(said.marks + named.marks, said, named)
        for place, amount in self._numbers(start):
            for middle, said in self.described(place):
                if not said.values or said.same or said.like or not self.is_amount(amount, said):
                    continue
                for end, clause in self._named(middle, said, amount):
                    for last in self.after(end, with_adverbs("in history"), self.history):
                        yield last, clause
        for end, (ref, said) in self.seq(
            start, "with|in", self.items, ",?", "you|you already", self.had, self.described, f"{_BEFORE}?"
        ):
            if ref.size == 1 and holds_of(ref, said, self.lexicon):
                yield end, Clause(ref.marks + said.marks, said, ref)
        for end, (said, sort) in self.seq(start, self.value, BE, "also?", "a|an", self.sort, phrases("known")):
            for middle, (ref,) in ((end, (Ref(),)), *self.seq(end, "from|with", self.items)):
                fits = self.lexicon.counts[said.values[0]] > 0 and said.values[0].kind in sort.kinds
                if fits and (not ref.titles or holds_of(ref, said, self.lexicon)):
                    yield middle, Clause(said.marks + ref.marks, said, Ref(titles=self.lexicon.owners[said.values[0]]))
        for end, (said,) in self.seq(start, "you|you already", self.had, "from?", self.of_kind(*MAKERS), "twice"):
            if self.is_amount(Amount(2, 2), said):
                yield end, Clause(said.marks, said, Ref(titles=self.holders(said)[0]))
        for end, (said,) in self.seq(start, "you|you already", self.had, "from?", self.of_kind(*MAKERS), _BEFORE):
            for middle, (ref,) in ((end, (Ref(),)), *self.seq(end, ",?", "with|in the form of", self.items)):
                if self.lexicon.counts[said.values[0]] and (not ref.titles or holds_of(ref, said, self.lexicon)):
                    yield middle, Clause(said.marks + ref.marks, said, ref)
        for end, (said, ref) in self.seq(
            start, "you|you already|you may|you might", phrases("verbs of knowing"), self.value,
            "from|in|on|through|as the maker of|as the director of", self.items,
        ):  # fmt: skip
            if {v.kind for v in said.values} <= MAKERS | {"actor", "genre"} and holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, ref)
        known = phrases("known facts")
        for end, said in (*self.value(start), *self._named_kind(start)):
            if all(self.lexicon.counts[value] for value in said.values):
                whole = Clause(said.marks, said, Ref(titles=common_owners(self.lexicon, said.values)))
                yield from ((last, whole) for last in self.words(end, known))

    def _is_own(self, start: int, end: int) -> bool:
        """Return whether words are the title of the recommended item."""
        return any(last == end and entry.title == "" for last, entry in self.entries(start))

    def _named_kind(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "the brand, OPI,", "its genre, crime,"."""
        for end, (sort,) in self.seq(start, "the|its|this", self.sort):
            yield from ((last, facts) for last, facts in self.apposition(end, (sort,)) if facts.values)

    def _both_facts(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "both of the genres here, crime and drama,"; their number must be that of the item's facts."""
        for words, count in (("both of the|both its|the two|its two", 2), ("all three|the three|its three", 3)):
            for end, (sort,) in self.seq(start, words, self.sort, "here?"):
                for last, facts in self.apposition(end, (sort,)):
                    if sum(v.kind in sort.kinds for v in self.lexicon.owners) == len({*facts.values}) == count:
                        yield last, facts

    def _counted(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read how many history items have some facts, and perhaps which: "two crime films, A and B"."""
        for end, said in self.described(start) if start >= len(self.tokens) or self.tokens[start].key != "the" else ():
            owners = common_owners(self.lexicon, said.values)
            if said.values and owners and not said.like and not said.same:
                yield from self._named(end, said, Amount(1))
                for last in self.words(end, "twice"):
                    if self.is_amount(Amount(2, 2), said):
                        yield last, Clause(said.marks, said, Ref(titles=owners))
        for place, amount in self._numbers(start):
            for end, (said, _) in self.seq(place, "of", self.of_kind(*MAKERS), "s", self._words_of(self.nouns)):
                if self.is_amount(amount, said):
                    yield from self._named(end, said, amount)
            for end, (said,) in self.seq(place, "other?", "pairs of?", self.described):
                if said.values and not said.same and not said.like and self.is_amount(amount, said):
                    yield from self._named(end, said, amount)

    def _numbers(self, start: int) -> Iterator[tuple[int, Amount]]:
        for end, count in self.count(start):
            yield end, Amount(count, count)
        for phrase, least in _AT_LEAST.items():
            for end in self.words(start, phrase):
                yield end, Amount(least)

    def _named(self, start: int, said: Said, amount: Amount) -> Iterator[tuple[int, Clause]]:
        """Read which items they are, perhaps nothing; a list after a number has to be whole."""
        owners = self.holders(said)[0]
        for place in self.words(start, "in your history|from your history|in it|before|already|so far?"):
            yield place, Clause(said.marks, said, Ref(titles=owners))
            for end, ref in self._list_behind(place, amount):
                if ref.titles <= owners:
                    for last in self.words(end, ",?"):
                        yield last, Clause(said.marks + ref.marks, said, ref)

    def _list_behind(self, start: int, amount: Amount) -> Iterator[tuple[int, Ref]]:
        """Read ", namely A and B", ": A and B", ", such as A"; a list that claims to be whole has the right number."""
        for end, ref in self.seq_of(start, ", namely|: namely|,|:|, that is ,", self.items):
            if not ref.more and (amount.most is None or len(ref.titles) == amount.most):
                yield end, ref
        for end, ref in self.seq_of(
            start, ",?", "such as|like|including|among them|one of them|for example", self.items
        ):
            yield end, ref

    def _of_amounts(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "two of the films you watched, A and B, are crime films", "all three items in your history are ..."."""
        for end, amount in self.amount(start):
            yield from self._amount_is(end, amount, self.predicate)
        for place in self.after(start, "among|of|in", self.history, ",?"):
            for end, amount in self._numbers(place):
                yield from self._amount_is(end, amount, self.predicate)
        for end, (amount,) in self.seq(start, self.amount, "share|shares|have|has"):
            yield from self._amount_is(end, amount, self._shared_word)
        for place in self.after(start, "among|in|of", self.history, ",?"):
            closest = f"{phrases('matches')}?"
            for end, (ref, _) in self.seq(
                place, self.items, BE, "the|the one|the ones?", phrases("closest"), closest, self._to_own
            ):
                if ref.titles == self.lexicon.close.keys() and not ref.more:
                    yield end, Clause(ref.marks, about=ref)
        for place in self.after(start, "both of the|both|all of the|all|the", phrases("closest"), self.nouns):
            for end, _ in self.seq(place, "in|from|among", self.history):
                titles = frozenset(self.lexicon.close)
                for last, (ref, said) in self.seq(end, ",?", self.items, ",?", self.predicate):
                    if ref.titles == titles and titles and holds_of(ref, said, self.lexicon):
                        yield last, Clause(ref.marks + said.marks, said, ref)

    def _shared_word(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "a genre with it", "a word with its title"."""
        for end, (shared, ref) in self.seq(start, self.shared, "with|in common with", self.own):
            if not shared.values:
                same = tuple((Sort(sort.kinds, sort.every, sort.apart), ref) for sort, _ in shared.same)
                yield end, Said(same=same, marks=ref.marks)

    def _amount_is(self, start: int, amount: Amount, rule: Rule) -> Iterator[tuple[int, Clause]]:
        """Read what so many items of the history are said to be, with their names before or after it."""
        for place, ref in ((start, Ref()), *self.seq_of(start, ",?", "namely?", self.items, ",?")):
            for end, said in rule(place):
                titles = self.holders(said)[0]
                if (
                    any(ref.titles or ref.more for ref in said.like)
                    or said.besides
                    or not self.is_amount(amount, said)
                    or not ref.titles <= titles
                ):
                    continue
                if ref.titles and amount.most is not None and len(ref.titles) != amount.most:
                    continue
                whole = Clause(ref.marks + said.marks, Said(said.values), Ref(titles=ref.titles or titles))
                yield end, whole
                for last, named in self._list_behind(end, amount):
                    if named.titles <= titles and not ref.titles:
                        yield last, Clause(whole.marks + named.marks, whole.said, named)

    # Offers and tastes.

    def _of_offers(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a clause that only offers the item, by the templates: "you may like it", "here is another"."""
        for parts in templates("offers"):
            for end, things in self.template(start, parts):
                yield end, things[0] if things else Clause(about=Ref(own=True), offers=True)

    def offered(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read the recommended item as an object: "it", "this top", "another crime film by Ana Lopez"."""
        yield from self.once("offered", start, self._offered)

    def _offered(self, start: int) -> Iterator[tuple[int, Clause]]:
        for end, ref in self.own(start):
            yield end, Clause(ref.marks, about=ref, offers=True)
            for after, (said,) in self.seq(end, ",?", "which|that", self.predicate):
                if holds_of(ref, said, self.lexicon):
                    yield after, Clause(ref.marks + said.marks, said, ref, True)
        yield from self.wished(start)

    def wished(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a noun phrase that is true of the recommended item."""
        for end, said in self.described(start):
            if holds_of(Ref(own=True), said, self.lexicon):
                yield end, Clause(said.marks, said, Ref(own=True), True)

    def _of_liking(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "you seem to like crime films", "your taste for crime"."""
        for end, (said,) in self.seq(
            start,
            "you",
            "seem to|often|often seem to",
            f"{_LIKE}|choose|pick|prefer|watch|buy|read|play|go for",
            self.taste,
        ):
            words = {token.key for token in self.tokens[start:end]}
            if not words & {"often", "prefer"} or all(self.is_most(value) for value in said.values):
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
            if not ref.more and self.lexicon.evidence.history_read:
                yield end, Clause(own.marks + ref.marks, about=own)

    def _fragment(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read a noun phrase alone, "another crime film by Ana Lopez", or "also from Portugal", "same label as A"."""
        alone = [*self.seq_of(start, "also?", self.addition), *self._same_alone(start)]
        opens = not start or self.tokens[start - 1].key in (",", ":", ";")
        for end, said in (*self.described(start), *(found for found in alone if opens and not found[1].like)):
            for last, whole in self.tail(end, said):
                if holds_of(Ref(own=True), whole, self.lexicon) and self.fits_before(start, whole):
                    yield last, Clause(whole.marks, whole, Ref(own=True))

    def _of_closeness(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "by its text and image it is close to A", "its text is close to A", "the model holds it close to A"."""
        be, near, of = f"{BE}|come|comes|lie|lies", "close to|similar to|near to|near", "that of|those of?"
        to: tuple[str | Rule, ...] = (f"{ALSO}|very?", near, of, self.objects)
        held = self.seq(start, "the model holds", self.own, *to)
        found = [(end, ref, {*self.lexicon.close}) for end, (_, ref) in held]
        for name, close in self.lexicon.close_by.items():
            text, by = phrases(name), by_modalities(name)
            read = [
                *self.seq(start, by, ",?", self.own, be, *to),
                *self.seq(start, by, ",?", self.own, phrases("verbs of similarity"), self.objects),
                *self.seq(start, "its|the", text, self._to_own, be, *to),
                *self.seq(start, self.own, "s", text, be, *to),
            ]
            for end, (ref,) in self.seq(start, self.everything, be, f"{ALSO}?", "close|similar", by, f"{ALSO}?"):
                read += [(end, (Ref(titles=ref.titles),))] if ref.own else []
            found += [(end, ref, close) for end, (*_, ref) in read]
        for end, ref, close in found:
            if ref.titles and ref.titles <= close and not (ref.own or ref.more):
                marks = tuple((start, end, self.lexicon.close[title]) for title in sorted(ref.titles))
                yield end, Clause(marks, Said(like=(Ref(titles=ref.titles),)), Ref(own=True))

    def _same_alone(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "same label as A", "same author, same publisher"; what each is shared with must be clear."""
        for end, said in self.listed(start, self.same):
            keys = [token.key for token in self.tokens[start:end]]
            refs = {ref for _, ref in said.same}
            if Ref() not in refs and (len(refs) == 1 or keys.count("as") == len(refs)):
                yield end, said

    def _of_influence(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "of all that you watched, Heat counts most", the same of "the last 8 films that you watched"."""
        most: tuple[str | Rule, ...] = ("you", self.had, ",", self.items, "counts most|count most", "for this?")
        last = "of the last|of the newest|of the latest|of the most recent"
        for end, (count, ref) in self.seq(start, last, self.count, self.nouns, "that|which?", *most):
            yield from self._counting_most(end, ref) if count == self.lexicon.measured else ()
        if self.lexicon.measured:
            return
        influence: list[tuple[str | Rule, ...]] = [
            ("of all|of all that", *most),
            (self.items, "counts most|count most", "for this?"),
            (self.items, "played the largest part in this", "choice|suggestion|recommendation"),
        ]
        for end, (ref,) in (found for parts in influence for found in self.seq(start, *parts)):
            yield from self._counting_most(end, ref)
        for end, (ref,) in self.seq(
            start, self.items, "played a large part in this", "choice|suggestion|recommendation", "as well|too?"
        ):
            if ref.titles and not ref.more and ref.titles <= self.lexicon.influence.keys():
                name = self.lexicon.influence[min(ref.titles)]
                yield end, Clause(tuple((first, last, name) for first, last, _ in ref.marks), about=ref)

    def _counting_most(self, end: int, ref: Ref) -> Iterator[tuple[int, Clause]]:
        """Yield the clause that a reference counts most, if it is all the most influential items or the first one."""
        titles = [*self.lexicon.influence]
        if titles and not ref.more and ref.titles in ({*titles}, {titles[0]}):
            name = self.lexicon.influence[titles[0]]
            yield end, Clause(tuple((first, last, name) for first, last, _ in ref.marks), about=ref)

    def _of_sharing(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "your Basic tee and this top share the same colour", "A and B are its closest matches"."""
        for end, (ref, same) in self.seq(start, self.everything, "share|have", self._same_sorts):
            if all(holds_of(ref, Said(same=((sort, Ref()),)), self.lexicon) for sort in same):
                yield end, Clause(ref.marks, about=ref)
        closest, close = (phrases("closest"), phrases("matches")), self.lexicon.close.keys()
        for end, (ref,) in self.seq(start, self.items, BE, "its|the", *closest):
            if ref.titles == close and not ref.more:
                yield from ((last, Clause(ref.marks, about=ref)) for last in self._scope(end))
        for end, (ref,) in self.seq(start, self.items, BE, "among its|among the|one of its|one of the", *closest):
            if ref.titles and ref.titles <= close and not ref.more:
                yield from ((last, Clause(ref.marks, about=ref)) for last in self._scope(end))
        for place in (*self.after(start, "its|the", *closest), *self.after(start, "its|the", closest[0], self.nouns)):
            for end, (ref,) in (found for middle in self._scope(place) for found in self.seq(middle, BE, self.items)):
                if ref.titles == close and not ref.more:
                    yield end, Clause(ref.marks, about=ref)

    def _to_own(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read "to this film", perhaps nothing; it adds nothing."""
        yield start, Ref()
        for end, _ in self.seq(start, "to|of|for", self.own):
            yield end, Ref()

    def _scope(self, start: int) -> Iterator[int]:
        """Read "in your history", "among what you bought", which may be missing after "its closest match"."""
        if self.tokens[start - 3].key == "its":
            yield start
        for end, _ in self.seq(start, "in|from|among|of", self.history):
            yield end
