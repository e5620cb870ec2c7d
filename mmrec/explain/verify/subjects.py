"""Clauses about the recommended item whose subject is a kind of fact, a maker, an image or a word."""

from __future__ import annotations

from collections.abc import Iterator

from mmrec.explain.facts import MAKERS
from mmrec.explain.images import COLOURS
from mmrec.explain.verify.matching import Rule
from mmrec.explain.verify.meaning import Clause, Ref, Said, Sort, has, holds_of
from mmrec.explain.verify.predicates import BE, IMAGE, Predicates
from mmrec.explain.verify.references import ALSO
from mmrec.explain.verify.wording import phrases, verbs_of_maker

_OWN = Ref(own=True)
_OCCURS = "appear|appears|is|are|stand|stands|occurs|occur|turns up|turn up|is found|are found"
_LINKS = (
    "it shares with|this one shares with|it has in common with|links it to|connects it with|link it to|connect it with"
)


class Subjects(Predicates):
    """Rules of such clauses."""

    def of_subjects(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read one such clause."""
        for rule in (
            self._of_kinds,
            self._of_makers,
            self._of_images,
            self._of_words,
            self._of_meeting,
            self._of_many_kinds,
            self._of_texts,
            self._of_links,
        ):
            yield from rule(start)

    def _of_kinds(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "its colour is dark blue, as is that of the Basic tee", "dark blue is the colour of the Tilda tank"."""
        own = Ref(own=True)
        for place in (*self.words(start, "its|the|their"), *self.after(start, self.own, "s")):
            for end, sort in self.sort(place):
                facts = self.facts(*sort.kinds)
                for middle in (end, *(after for after, _ in self.seq(end, "of|here|behind", self.own))):
                    for after, (said,) in self.seq(middle, BE, "also?", facts):
                        for last, whole in self.tail(after, said):
                            if holds_of(own, whole, self.lexicon):
                                yield last, Clause(whole.marks, whole, own)
                    yield from self._kind_like(middle, Sort(sort.kinds))
                for after, (said,) in self.seq(end, ",", self.of_kind(*sort.kinds), ","):
                    for last, clause in self._kind_like(after, Sort(sort.kinds)):
                        of = clause.said.same[0][1]
                        if all(has(self.lexicon, value, of) for value in said.values):
                            yield last, Clause(said.marks) | clause
                    yield from self._maker_of(after, said)
        of_what: list[tuple[str | Rule, ...]] = [
            ("the|the shared|also the", self.sort, "of", self.everything),
            ("its|also its", self.sort, lambda at: [(at, own)]),
        ]
        for end, (said, sort, ref) in (
            found
            for parts in of_what
            for found in self.seq(start, lambda at: self.listed(at, self.value), "is|are", *parts)
        ):
            if all(value.kind in sort.kinds for value in said.values):
                for last, whole in self.tail(end, said):
                    if holds_of(ref, whole, self.lexicon):
                        yield last, Clause(whole.marks + ref.marks, whole, ref)
        links = "links it to|connects it to|connects it with|ties it to|it has in common with|it shares with"
        for end, (ref, said) in self.seq(start, "what", links, self.items, "is", self._fact_named):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(ref.marks + said.marks, said, own)
        for end, (said, ref) in self.seq(
            start,
            self._facts_or_words,
            "is what|are what|is|are",
            _LINKS,
            self.items,
        ):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, own)

    def _of_links(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "Mia Novak links it to Quiet Harbour", "what it and Night Train have in common is their director"."""
        for end, (said, one, other) in self.seq(
            start,
            self._facts_or_words,
            "links|link|connects|connect|unites|unite",
            self.everything,
            "to|with|and",
            self.items,
        ):
            ref = one | other
            if ref.own and holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, _OWN)
        for end, (said, ref) in self.seq(
            start, self._facts_or_words, "is what|are what", self.everything, "have in common|share"
        ):
            if ref.own and ref.titles and holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, _OWN)
        for middle, (ref,) in self.seq(start, "what", self.everything, "have in common|share", "is|are"):
            for end, said in self._fact_named(middle) if ref.own and ref.titles else ():
                if holds_of(ref, said, self.lexicon):
                    yield end, Clause(said.marks + ref.marks, said, _OWN)
            for end, (shared,) in self.seq(middle, self.shared) if ref.own and ref.titles else ():
                if holds_of(ref, shared, self.lexicon):
                    yield end, Clause(ref.marks + shared.marks, Said(), _OWN)
        for end, (sort, said) in self.seq(start, "one of its|one of the", self.sort, "is", self.value):
            if all(value.kind in sort.kinds for value in said.values):
                yield from (
                    (last, Clause(w.marks, w, _OWN))
                    for last, w in self.tail(end, said)
                    if holds_of(_OWN, w, self.lexicon)
                )
        for end, (said, sort) in self.seq(start, self.value, "is", "one of its", self.sort):
            if all(value.kind in sort.kinds for value in said.values):
                yield end, Clause(said.marks, said, _OWN)
        for end, (sort,) in self.seq(
            start, "its", self.sort, "is", "one you know|one you already know|known to you|familiar to you"
        ):
            known = [v for v, count in self.lexicon.counts.items() if v.kind in sort.kinds and count]
            if known:
                yield end, Clause(((start, end, self.lexicon.names[known[0]]),), Said(), _OWN)

    def _of_many_kinds(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "the artist and the label are the same as those of Slow Meridian"."""
        same = "that of|those of|the same as that of|the same as those of|the same as for|the same as in|the same as on"
        for end, (said, ref) in self.seq(start, self.shared, BE, "also|both|all?", same, self.items):
            whole = Said(same=tuple((sort, ref) for sort, _ in said.same), marks=ref.marks)
            if not said.values and len(said.same) > 1 and holds_of(_OWN, whole, self.lexicon):
                yield end, Clause(ref.marks, whole, _OWN)

    def _facts_or_words(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read facts, or words of texts and titles: "crime", "Bourbon vanilla"."""
        yield from self.listed(start, self.value)
        yield from self.described_words(start, frozenset({"text", "word"}))

    def _fact_named(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read "the genre, mystery", "its brand", as what two items have in common."""
        for end, (sort,) in self.seq(start, "the|its", self.sort):
            for last, facts in self.apposition(end, (sort,)):
                if facts.values:
                    yield last, facts
        yield from self.listed(start, self.value)

    def _of_meeting(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "crime and drama meet in this film"."""
        for end, (said, ref) in self.seq(start, self.facts("genre", "category"), phrases("verbs of meeting"), self.own):
            if len(said.values) > 1:
                yield end, Clause(said.marks + ref.marks, said, ref)

    def _kind_like(self, start: int, sort: Sort) -> Iterator[tuple[int, Clause]]:
        own = Ref(own=True)
        for end, (ref,) in self.seq(
            start, BE, "also?", "that of|the same as that of|the same as|the same as for|the one of", self.items
        ):
            said = Said(same=((sort, ref),))
            if holds_of(own, said, self.lexicon):
                yield end, Clause(ref.marks, said, own)

    def _of_makers(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "Ana Lopez, the director of Night Train, directed it", "Tom Reed and Mia Novak star in it"."""
        makers = self.of_kind(*MAKERS, "actor")
        for end, said in self.listed(start, makers):
            kinds = frozenset(value.kind for value in said.values)
            yield from self._maker_of(end, said)
            for after, (sort,) in self.seq(end, ",", "its|the|their", self.sort, ","):
                if sort.kinds & kinds:
                    yield from self._maker_of(after, said)
            for after, (sort, ref) in self.seq(end, ",", "the", self.sort, "of|behind", self.items):
                if sort.kinds & kinds and holds_of(ref, said, self.lexicon):
                    yield from self._maker_after(after, said, ref)
            for after, (ref,) in self.seq(
                end, ",", "who|which", f"{self.verbs_of(said) or 'made'}|s in|is in|s in the cast of", self.items
            ):
                if holds_of(ref, said, self.lexicon):
                    yield from self._maker_after(after, said, ref)
        for end, (same,) in self.seq(start, self.same):
            for kind in {kind for sort, _ in same.same for kind in sort.kinds}:
                sorts = tuple(sort for sort, _ in same.same)
                for middle, facts in self.apposition(end, sorts):
                    for after, ref in self._made(middle, kind):
                        if holds_of(ref, facts, self.lexicon) and holds_of(ref, same.with_object(_OWN), self.lexicon):
                            yield after, Clause(same.marks + facts.marks + ref.marks, facts, ref)
        for end, (sort,) in self.seq(start, "the same", self.sort):
            for kind in sort.kinds:
                for after, ref in self._made(end, kind):
                    if ref.titles and holds_of(ref | _OWN, Said(same=((Sort(sort.kinds), _OWN),)), self.lexicon):
                        yield after, Clause(ref.marks, Said(), ref)

    def _made(self, start: int, kind: str) -> Iterator[tuple[int, Ref]]:
        """Read "also directed Night Train", "is the director of this film"."""
        for end, (ref,) in self.seq(start, ",?", verbs_of_maker(kind), self.everything):
            yield from ((last, ref) for last in self.words(end, f"{ALSO}?"))
        for end, (_, ref) in self.seq(start, ",?", self.is_the(kind), self.everything):
            yield end, ref

    def _maker_after(self, start: int, said: Said, ref: Ref) -> Iterator[tuple[int, Clause]]:
        for place in self.words(start, ",?"):
            for last, clause in self._maker_of(place, said):
                yield last, Clause(ref.marks) | clause

    def _maker_of(self, start: int, said: Said) -> Iterator[tuple[int, Clause]]:
        """Read the verb of a maker and what was made: "directed this film too"."""
        kinds = [value.kind for value in said.values]
        for end, (_, ref) in self.seq(start, self.is_the(*kinds), self.everything):
            if len(kinds) == 1 and holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, ref)
        if verbs := self.verbs_of(said):
            for end, (ref,) in self.seq(start, verbs, self.everything):
                if holds_of(ref, said, self.lexicon):
                    for last in self.words(end, f"{ALSO}?"):
                        yield last, Clause(said.marks + ref.marks, said, ref)

    def _of_images(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "its poster shows a city at night, like the poster of A", "water can be seen in the image of A"."""
        own = Ref(own=True)
        for end, (ref, said) in self.seq(start, self._image, "both|also?", phrases("verbs of images"), self._themes):
            for place in self.words(end, "on it|in it?"):
                for last, whole in self.tail(place, said):
                    if holds_of(ref, whole, self.lexicon):
                        yield last, Clause(whole.marks + ref.marks, whole, ref)
        for end, (said, ref) in self.seq(
            start, self._themes, phrases("verbs of themes"), "also|both?", "on|in", self._image
        ):
            for last, whole in self.tail(end, said):
                if holds_of(ref, whole, self.lexicon):
                    yield last, Clause(whole.marks + ref.marks, whole, ref)
        for end, (said, ref) in self.seq(start, self._themes, phrases("verbs of themes on images"), self._image):
            if holds_of(ref, said, self.lexicon):
                yield end, Clause(said.marks + ref.marks, said, ref)
        for end, (said, ref) in self.seq(
            start, "there is|there are|there s", "also?", self._themes, "on|in", self._image
        ):
            for place in self.words(end, f"{ALSO}?"):
                if holds_of(ref, said, self.lexicon):
                    yield place, Clause(said.marks + ref.marks, said, ref)
                for last, (other,) in self.seq(
                    place, ",", "just as|as", "there is|there are", "on|in|in that of|on that of", self.items
                ):
                    if holds_of(ref | other, said, self.lexicon):
                        yield last, Clause(said.marks + other.marks, said, ref)
        for end, (ref, other) in self.seq(
            start, self._image, "has something in common with|resembles|shares something with", self._image_of_items
        ):
            if holds_of(ref, Said(same=((Sort(frozenset({"image"})), other),)), self.lexicon):
                yield end, Clause(ref.marks + other.marks, about=own)
        for end, (said,) in self.seq(start, "the cast", "includes|has", self.facts("actor")):
            yield end, Clause(said.marks, said, own)
            for after, (ref,) in self.seq(end, ",", "who", ALSO + "?", self.verbs_of(said), self.items):
                if holds_of(ref, said, self.lexicon):
                    yield after, Clause(said.marks + ref.marks, said, own)

    def _themes(self, start: int) -> Iterator[tuple[int, Said]]:
        yield from self.listed(start, self.theme)

    def theme(self, start: int) -> Iterator[tuple[int, Said]]:
        """Read a theme of images: "a city at night", "the colour orange", "an orange tone"."""
        for place in self.words(start, "the colour|the color|the|a|an|some?"):
            for end, said in self.bare_value(place, frozenset({"image"})):
                for last in self.words(end, "tone|tones|colours|colour?"):
                    if last == end or said.values[0].value in COLOURS:
                        yield last, said

    def _image(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read "its image", "the images of A and of this film"."""
        for end in self.words(
            start, "|".join(f"{its} {image}" for its in ("its", "the", "their") for image in IMAGE.split("|"))
        ):
            yield end, Ref(own=True)
            for last, (ref,) in self.seq(end, "of", self.everything):
                yield last, ref
        for end, (ref,) in self.seq(start, self.everything, "s", IMAGE):
            yield end, ref

    def _image_of_items(self, start: int) -> Iterator[tuple[int, Ref]]:
        for end, (ref,) in self.seq(start, "that of|those of|the image of|the images of", self.items):
            yield end, ref

    def _of_words(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "its description mentions cotton", "the words tiny kitchen appear in its title and in that of A"."""
        own = Ref(own=True)
        for end, (ref, said) in self.seq(start, self._title, "has|mentions", self.word):
            for last, whole in self.tail(end, said):
                if holds_of(ref, whole, self.lexicon):
                    yield last, Clause(ref.marks + whole.marks, whole, ref)
        for end, (said,) in self.seq(
            start, "a|an|the", self.of_kind("text"), "is in the story|is in its story|is mentioned|is in it"
        ):
            for last, whole in self.tail(end, said):
                if holds_of(own, whole, self.lexicon):
                    yield last, Clause(whole.marks, whole, own)
        for end, (said,) in self.seq(
            start, self.word, _OCCURS, "also|both?", "in its title|in this title|in the title|in both titles",
        ):  # fmt: skip
            yield end, Clause(said.marks, said, own)
            for last, (ref,) in self.seq(
                end, ",?", "as well as|and|just as|as|like", "in?", "that of|the title of|those of", self.items
            ):
                if holds_of(ref, said, self.lexicon):
                    yield last, Clause(said.marks + ref.marks, said, own)

    def _title(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read "its title", "the title of this film"."""
        for end in self.words(start, "its title|the title|their title|its name|the name|their name"):
            yield end, _OWN
            yield from self.seq_of(end, "of", self.everything)

    def _of_texts(self, start: int) -> Iterator[tuple[int, Clause]]:
        """Read "the word banjo is in both descriptions", "both descriptions have the word banjo"."""
        words: list[str | Rule] = ["the word|the words", self.described_words]
        for end, (said, ref) in self.seq(start, *words, _OCCURS, "also|both?", "in", self._text):
            found = [(end, ref)]
            for last, (other,) in self.seq(
                end, ",?", "as well as|and|just as|as|like", "also?", "in?", phrases("of texts"), self.items
            ):
                found.append((last, ref | other))
            for last, whole in found:
                for final in self.words(last, f"{ALSO}?"):
                    if holds_of(whole, said, self.lexicon):
                        yield final, Clause(said.marks + whole.marks, said, whole)
        verbs: list[str | Rule] = [f"{ALSO}?", phrases("verbs of texts"), "the word|the words?", self.described_words]
        for end, (ref, said) in self.seq(start, self._text, *verbs):
            for last, whole in self.tail(end, said):
                if holds_of(ref, whole, self.lexicon):
                    yield last, Clause(ref.marks + whole.marks, whole, ref)
        for end, (ref, said, other) in self.seq(
            start, self._text, "shares|share", *words, "with", f"{phrases('that of')}?", self.items
        ):
            if holds_of(ref | other, said, self.lexicon):
                yield end, Clause(ref.marks + said.marks + other.marks, said, ref)

    def _text(self, start: int) -> Iterator[tuple[int, Ref]]:
        """Read "its description", "both descriptions", "the descriptions of A and of this film"."""
        before = self.before(start)
        for end in self.words(start, "both descriptions|the two descriptions|both texts") if len(before) == 1 else ():
            yield end, Ref(True, before)
        for end in self.words(
            start,
            "its description|the description|their description|the descriptions|their descriptions|"
            "its text|the text|their text",
        ):
            if self.tokens[end - 1].key != "descriptions":
                yield end, _OWN
            for last, (ref,) in self.seq(end, "of|of both", self.everything):
                yield last, ref
        for end, (ref,) in self.seq(start, self.everything, "s", "description|text"):
            yield end, ref
