"""Entity linking: what a text names, and whether the evidence packet states it (paper, section 3.5.2).

A mention is a quoted string, a title, a number (year, price, other), a value of some kind of fact (a genre, a material,
a brand, in any letter case, see `Vocabulary`) or another name with a capital. It is *supported* if the packet has the
string in some form; a *contradiction* if the packet states another value of that kind of the recommended item; and
*off the packet* otherwise. What only a title of the history has (a wool hat that the user bought) supports words of a
clause that speaks of the history, not a claim on the recommended item.

What it cannot see: a false statement made of true mentions, names without capitals that are in no list, numbers spelled
out in words, and a single unknown name that opens a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from mmrec.explain.knowledge import STOP_WORDS
from mmrec.explain.linking.known import Known
from mmrec.explain.linking.vocabulary import Vocabulary, windows
from mmrec.explain.linking.words import ARTICLES, Key, Word, inflected, words_of

_QUOTED = re.compile(
    r"“([^“”]*)”|\"([^\"]*)\"|«([^«»]*)»|„([^„“”]*)[“”]|「([^「」]*)」|『([^『』]*)』|《([^《》]*)》"
    r"|‘([^‘\n]*?)’(?!\w)|(?<!\w)'([^\n]*?)'(?!\w)"
)
_DECADE = re.compile(r"(\d{2}|\d{4})s")
_WITHIN_NAME = re.compile(r"[ \-‐'’&]*")
_OPENS_SENTENCE = re.compile(r"(^|[.!?\n])[\s\"”’»)\]]*[\"“‘«(\[']*$")
_CONNECTORS = frozenset({"of", "the", "de", "del", "der", "du", "la", "le", "van", "von", "s"})
_CURRENCY_BEFORE = re.compile(r"([$€£¥]|\b(USD|EUR|GBP|US\$))\s*$", re.IGNORECASE)
_CURRENCY_AFTER = re.compile(r"\s*([$€£¥]|(dollars?|euros?|pounds?|USD|EUR|GBP|bucks)\b)", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[.;:!?\n()–—]|\b(and|but|so|while)\s+(this|these|it|its|they|the)\b"
    r"|,\s+(this|these|it|its|they|which|since|because|you may)\b",
    re.IGNORECASE,
)
_OF_THE_HISTORY = re.compile(
    r"\b(bought|purchase[ds]?|liked?|loved?|enjoy(ed)?|watched|own(ed)?|chose|picked|rated|viewed|browsed|wore|saw"
    r"|seen|have|had|your|history|earlier|previous(ly)?|past|before|prior)\b",
    re.IGNORECASE,
)
_WISH = re.compile(r"\b(may|might|will|would|could|should|to)\s+(also\s+)?\w+", re.IGNORECASE)
_YOU_FOLLOWS = re.compile(r"(\s+\w+)?\s+(that |which )?you\b", re.IGNORECASE)
SHOUTED = 0.7
"""Share of words in capitals from which on a text shouts, and a capital says nothing."""


class Label(StrEnum):
    """What the packet says to a mention."""

    SUPPORTED = "supported"
    CONTRADICTION = "contradiction"
    OFF_PACKET = "off_packet"


@dataclass(frozen=True)
class Mention:
    """Something the text names.

    Args:
        kind: quoted, title, year, price, number, theme, name, cited, or a kind of fact.
        text: as written.
        label: what the packet says to it.
        start: where it stands in the text in NFKC; -1 for a cited title.
    """

    kind: str
    text: str
    label: Label
    start: int = field(default=-1, compare=False)

    @property
    def linked(self) -> bool:
        """Whether the packet states it."""
        return self.label is Label.SUPPORTED


def mentions(text: str, known: Known, vocabulary: Vocabulary) -> list[Mention]:
    """Return what a text names, in its order."""
    return _Linker(text, known, vocabulary).run()


class _Linker:
    """One text. Every word belongs to one mention at most; the earlier steps take theirs first."""

    def __init__(self, text: str, known: Known, vocabulary: Vocabulary) -> None:
        self.text = unicodedata.normalize("NFKC", text)
        self.words = list(words_of(self.text))
        self.keys: Key = tuple(word.key for word in self.words)
        self.known = known
        self.vocabulary = vocabulary
        self.found: dict[tuple[int, int], Mention] = {}  # by the words it takes, start to end
        self.taken: set[int] = set()
        self.quoted: set[int] = set()
        lengths = {len(key) for key in known.strings}
        self.spans = {(i, j) for i, j in windows(self.keys, max(lengths, default=0)) if self.keys[i:j] in known.strings}
        self.covered = {i for start, end in self.spans for i in range(start, end)}

    def run(self) -> list[Mention]:
        """Return the mentions in the order of the text."""
        self._quotations()
        self._titles()
        self._numbers()
        self._terms()
        self._themes()
        if not self._shouts():
            self._names()
        return [self.found[place] for place in sorted(self.found)]

    def _shouts(self) -> bool:
        spelled = [word.text for word in self.words if len(word.text) > 1 and word.text.isalpha()]
        loud = sum(word.isupper() for word in spelled)
        return loud > 2 and loud > SHOUTED * len(spelled)

    def _quotations(self) -> None:
        for match in _QUOTED.finditer(self.text):
            span = [i for i, w in enumerate(self.words) if match.start() <= w.start and w.end <= match.end()]
            if not span or self.taken.intersection(span):
                continue
            first = span[0] + (len(span) > 1 and self.keys[span[0]] in ARTICLES)
            linked = any(start <= first and span[-1] < end for start, end in self.spans)
            self.quoted.update(span)
            self._add("quoted", span[0], span[-1] + 1, Label.SUPPORTED if linked else Label.OFF_PACKET)

    def _titles(self) -> None:
        """Titles of two words or more: those of the packet in any letter case, and others of the catalogue."""
        longest = max(self.vocabulary.longest_title, *map(len, self.known.titles), 0)
        for start, end in windows(self.keys, longest):
            if end - start < 2 or self.taken.intersection(range(start, end)):
                continue
            key = self.keys[start:end]
            if key in self.known.titles:
                self._add("title", start, end, Label.SUPPORTED)
            elif key in self.vocabulary.titles and self.words[start].capital:
                self._add("title", start, end, Label.OFF_PACKET)

    def _numbers(self) -> None:
        for i, word in enumerate(self.words):
            if not word.text[0].isdecimal() or i in self.taken:
                continue
            kind = self._number_kind(word)
            linked = i in self.covered or self._number_known(i)
            self._add(kind, i, i + 1, self._judge(linked, {kind}))

    def _number_kind(self, word: Word) -> str:
        if _CURRENCY_BEFORE.search(self.text[: word.start]) or _CURRENCY_AFTER.match(self.text, word.end):
            return "price"
        if _DECADE.fullmatch(word.key) or (len(word.key) == 4 and "1800" <= word.key <= "2100"):
            return "year"
        return "number"

    def _number_known(self, place: int) -> bool:
        """Whether a number, a decade (`1990s`, `90s`) of a year, or a year's last digits (`'94`) are stated."""
        word = self.words[place]
        decade = _DECADE.fullmatch(word.key)
        short = len(word.key) == 2 and self.text[: word.start].endswith(("'", "’"))

        def among(stated: set[str]) -> bool:
            years = [w for w in stated if len(w) == 4 and w.isdecimal()]
            if decade:
                return any(year[:3].endswith(decade[1][:-1]) for year in years)
            return word.key in stated or (short and any(year.endswith(word.key) for year in years))

        if among(self.known.own_words):
            return True
        return among(self.known.history_words) and self._speaks_of_history(place, place + 1)

    def _terms(self) -> None:
        """Values of facts, in any letter case."""
        for start, end in windows(self.keys, self.vocabulary.longest):
            key = self.keys[start:end]
            if self.taken.intersection(range(start, end)) or not self._is_claim(key):
                continue
            kinds = self.vocabulary.kinds(key)
            label = self._judge(self._term_known(key, start, end), set(kinds))
            self._add(self._name_kind(kinds), start, end, label)

    def _themes(self) -> None:
        """Theme words of the picture; other words of that sort are claims of nothing."""
        for start, end in sorted(self.spans, key=lambda span: span[0] - span[1]):
            if not self.taken.intersection(range(start, end)) and self.keys[start:end] in self.known.themes:
                self._add("theme", start, end, Label.SUPPORTED)

    def _is_claim(self, key: Key) -> bool:
        return self.vocabulary.claims(key, self.known.values)

    def _term_known(self, key: Key, start: int, end: int) -> bool:
        forms = inflected(key)
        if any(form in ways for form in forms for ways in self.known.candidate.values()):
            return True
        if any(self.known.own_words.issuperset(form) for form in forms):
            return True
        return any(self.known.history_words.issuperset(form) for form in forms) and self._speaks_of_history(start, end)

    def _speaks_of_history(self, start: int, end: int) -> bool:
        """Whether the clause before some words, or what follows them at once, speaks of what the user did."""
        before = self.text[: self.words[start].start]
        ends = [match.end() for match in _CLAUSE_END.finditer(before)]
        clause = _WISH.sub("", before[ends[-1] if ends else 0 :])
        return bool(_OF_THE_HISTORY.search(clause) or _YOU_FOLLOWS.match(self.text, self.words[end - 1].end))

    def _name_kind(self, kinds: frozenset[str]) -> str:
        stated = sorted(kinds & self.known.values.keys())
        return stated[0] if stated else min(kinds)

    def _names(self) -> None:
        """Judge runs of capitalised words. A single unlinked word may be any word of the packet (a surname, say)."""
        for run in self._runs():
            unlinked = [i for i in run if self.words[i].capital and i not in self.covered and i not in self.taken]
            if unlinked[:1] == run[:1] and self._is_opening_word(self.words[run[0]]):
                unlinked = unlinked[1:]
                if len(run) == 1:
                    continue
                if self.words[run[0]].key in STOP_WORDS:
                    run = run[1:]
            if not unlinked and self.taken.intersection(run):
                continue
            start, end = run[0], run[-1] + 1
            linked = not unlinked or (len(unlinked) == 1 and self.words[unlinked[0]].key in self.known.words)
            kinds = self.vocabulary.kinds(self.keys[start:end])
            label = self._judge(linked, set(kinds))
            for place in [place for place in self.found if start <= place[0] and place[1] <= end]:
                if self.found.pop(place).label is Label.CONTRADICTION:  # a part says what is wrong with the whole
                    label = Label.CONTRADICTION
            self._add(self._name_kind(kinds) if kinds else "name", start, end, label)

    def _is_opening_word(self, word: Word) -> bool:
        """Whether a word may have its capital from the sentence it opens; one with a genitive s is taken for a name."""
        if word.key in STOP_WORDS:
            return True
        opens = _OPENS_SENTENCE.search(self.text[: word.start]) is not None
        return opens and word.key not in self.known.words and not re.match(r"['’]s\b", self.text[word.end :])

    def _runs(self) -> Iterator[list[int]]:
        """Yield stretches of capitalised words, joined over spaces, hyphens, initials and words such as "of the"."""
        run: list[int] = []
        for i, word in enumerate(self.words):
            between = self.text[self.words[i - 1].end : word.start] if run else ""
            initial = run and len(self.words[i - 1].text) == 1 and i - 1 not in self.covered and between in {".", ". "}
            # What a genitive s belongs to is a name of its own: the maker's, say, before a title.
            joined = initial or (_WITHIN_NAME.fullmatch(between) and self.words[i - 1].key != "s")
            if run and not (joined and i not in self.quoted and (word.capital or word.key in _CONNECTORS)):
                yield from self._ended(run)
                run = []
            if i not in self.quoted and (word.capital or run):
                run.append(i)
        yield from self._ended(run)

    def _ended(self, run: list[int]) -> Iterator[list[int]]:
        """Yield the run without the connecting words at its end, if anything is left."""
        while run and not self.words[run[-1]].capital:
            run = run[:-1]
        if run:
            yield run

    def _judge(self, linked: bool, kinds: set[str]) -> Label:
        if linked:
            return Label.SUPPORTED
        return Label.CONTRADICTION if kinds & self.known.values.keys() else Label.OFF_PACKET

    def _add(self, kind: str, start: int, end: int, label: Label) -> None:
        self.taken.update(range(start, end))
        text = self.text[self.words[start].start : self.words[end - 1].end]
        self.found[start, end] = Mention(kind, text, label, self.words[start].start)
