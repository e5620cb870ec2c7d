"""Verification of an explanation against its evidence packet (paper, section 3.5.2).

Every mention in the text (number, year, quoted title, capitalised name) must link to the packet. Comparison is by
words: NFKC, case-folded, punctuation left out, so `Schindler's List` and `schindler’s list` are the same. A string of
the packet may be written as a whole or as one of its aliases: without a bracketed part (`Heat (1995)` as `Heat`),
turned round at its comma (`Matrix, The` as `The Matrix`), without a leading article, or one part of two words or more
between `:`, ` - ` and commas (`Alien: The Old Cut` as `The Old Cut`).

What it cannot see: a false statement made of true mentions, names without capitals, numbers spelled out in words, and a
single unknown name that opens a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mmrec.explain.knowledge import STOP_WORDS
from mmrec.explain.packet import Packet

_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+")
_QUOTED = re.compile(
    r"“([^“”]*)”|\"([^\"]*)\"|«([^«»]*)»|„([^„“”]*)[“”]|「([^「」]*)」|『([^『』]*)』|《([^《》]*)》"
    r"|‘([^‘\n]*?)’(?!\w)|(?<!\w)'([^\n]*?)'(?!\w)"
)
_DECADE = re.compile(r"(\d{2}|\d{4})s")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WITHIN_NAME = re.compile(r"[ \-‐'’&]*")
_OPENS_SENTENCE = re.compile(r"(^|[.!?\n])[\s\"”’»)\]]*[\"“‘«(\[']*$")
_CONNECTORS = frozenset({"of", "the", "de", "del", "der", "du", "la", "le", "van", "von", "s"})
_ARTICLES = frozenset({"the", "a", "an"})

Key = tuple[str, ...]


@dataclass(frozen=True)
class Mention:
    """Something the text names. `kind` is cited, quoted, year, number or name."""

    kind: str
    text: str
    linked: bool


@dataclass(frozen=True)
class Violation:
    """A mention that does not link to the packet."""

    kind: str
    text: str

    def __str__(self) -> str:
        where = "history" if self.kind == "cited" else "facts"
        return f"{self.kind} {self.text} is not in the {where}"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a verification."""

    violations: tuple[Violation, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found against the text."""
        return not self.violations


@dataclass(frozen=True)
class _Word:
    text: str
    key: str
    start: int
    end: int

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


def verify(explanation: str, packet: Packet, cited_history: Sequence[str] = ()) -> Verdict:
    """Check that an explanation and the titles it cites say nothing that the packet does not (section 3.5.2)."""
    found = [*cited_mentions(cited_history, packet), *text_mentions(explanation, packet)]
    return Verdict(tuple(dict.fromkeys(Violation(m.kind, m.text) for m in found if not m.linked)))


def cited_mentions(cited_history: Sequence[str], packet: Packet) -> list[Mention]:
    """Link cited titles to the history and the neighbours of the packet."""
    titles = [item.title for item in packet.history] + packet.neighbours
    known = {alias for title in titles for alias in aliases(title)}
    return [Mention("cited", text, text in titles or normal_form(text) in known) for text in cited_history]


def text_mentions(text: str, packet: Packet) -> list[Mention]:
    """Return the quoted strings, numbers and names of a text in this order, each linked to the packet or not."""
    text = unicodedata.normalize("NFKC", text)
    words = list(_words(text))
    strings = list(_strings(packet))
    known = {alias for string in strings for alias in aliases(string)}
    known_words = {word for alias in known for word in alias}
    spans = _known_spans(words, known)
    covered = {i for start, end in spans for i in range(start, end)}
    quoted, inside = _quoted(text, words, spans)
    numbers = [
        Mention(_number_kind(words[i].key), words[i].text, i in covered or _number_known(words[i].key, known_words))
        for i in range(len(words))
        if words[i].text[0].isdecimal() and i not in inside
    ]
    return quoted + numbers + _names(text, words, covered, inside, known_words)


def aliases(string: str) -> set[Key]:
    """Return the normal forms under which a string of the packet may be written, see the module's docstring."""
    bare = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", string)
    forms = [string, bare]
    head, _, tail = bare.rpartition(",")
    if head and ("," not in head or tail.strip().casefold() in _ARTICLES):
        forms.append(f"{tail} {head}")
    found = {normal_form(form) for form in forms}
    found |= {form[1:] for form in found if len(form) > 1 and form[0] in _ARTICLES}
    parts = (normal_form(part) for part in re.split(r":|,|\s[-–—]\s", bare))
    found |= {part for part in parts if len(part) > 1}
    return found - {()}


def normal_form(string: str) -> Key:
    """Return the words of a string in the form in which they are compared."""
    return tuple(word.key for word in _words(unicodedata.normalize("NFKC", string)))


def _words(text: str) -> Iterator[_Word]:
    for match in _TOKEN.finditer(text):
        token = match.group()
        key = _number(token) if token[0].isdecimal() else unicodedata.normalize("NFKC", token.casefold())
        yield _Word(token, key, match.start(), match.end())


def _number(token: str) -> str:
    """Bring `1,299.00`, `1299` and digits of other scripts to one form; other tokens only lose their letter case."""
    plain = re.sub(r",(?=\d{3}(?!\d))", "", token).replace(",", ".")
    if not _NUMBER.fullmatch(plain):  # a date, a decade, a model number
        return token.casefold()
    whole, _, part = "".join(c if c == "." else str(unicodedata.digit(c)) for c in plain).partition(".")
    return ".".join(filter(None, [whole.lstrip("0") or "0", part.rstrip("0")]))


def _strings(packet: Packet) -> Iterator[str]:
    """Every string of the packet that a text may name."""
    yield packet.title
    yield from (item.title for item in packet.history)
    yield from packet.neighbours
    for facts in (packet.facts, *(item.shared for item in packet.history)):
        for name, values in facts.items():
            yield name
            yield from values
    yield from packet.keywords
    yield from packet.visual
    for name, value in packet.signals.items():
        yield name
        yield str(value)


def _known_spans(words: Sequence[_Word], known: Iterable[Key]) -> set[tuple[int, int]]:
    """Return every stretch of words that is a known string; stretches may overlap."""
    keys, known = tuple(word.key for word in words), set(known)
    lengths = {len(alias) for alias in known}
    starts = range(len(keys))
    return {(i, i + n) for n in lengths for i in starts if i + n <= len(keys) and keys[i : i + n] in known}


def _quoted(text: str, words: Sequence[_Word], spans: set[tuple[int, int]]) -> tuple[list[Mention], set[int]]:
    """Return the quoted strings, and the words in those that do not link (which need no second complaint)."""
    mentions, inside = [], set()
    for match in _QUOTED.finditer(text):
        span = [i for i, word in enumerate(words) if match.start() <= word.start and word.end <= match.end()]
        if not span:
            continue
        linked = any(start <= span[0] and span[-1] < end for start, end in spans)
        mentions.append(Mention("quoted", match.group()[1:-1], linked))
        if not linked:
            inside.update(span)
    return mentions, inside


def _number_kind(key: str) -> str:
    return "year" if len(key) == 4 and "1800" <= key <= "2100" else "number"


def _number_known(key: str, known_words: set[str]) -> bool:
    """Whether a number, or a decade (`1990s`, `90s`) with a year of the packet in it, is known."""
    if decade := _DECADE.fullmatch(key):
        return any(len(w) == 4 and w.isdecimal() and w[:3].endswith(decade[1][:-1]) for w in known_words)
    return key in known_words


def _names(
    text: str, words: Sequence[_Word], covered: set[int], inside: set[int], known_words: set[str]
) -> list[Mention]:
    """Judge runs of capitalised words. A single unlinked word may be any word of the packet (a surname, say)."""
    mentions = []
    for run in _runs(text, words, covered, inside):
        unlinked = [i for i in run if words[i].capital and i not in covered]
        if unlinked[:1] == run[:1] and _is_opening_word(text, words[run[0]], known_words):
            unlinked = unlinked[1:]
            if len(run) == 1:
                continue
        linked = not unlinked or (len(unlinked) == 1 and words[unlinked[0]].key in known_words)
        mentions.append(Mention("name", text[words[run[0]].start : words[run[-1]].end], linked))
    return mentions


def _is_opening_word(text: str, word: _Word, known_words: set[str]) -> bool:
    """Whether a word may have its capital from the sentence it opens; one with a genitive s is taken for a name."""
    if word.key in STOP_WORDS:
        return True
    opens = _OPENS_SENTENCE.search(text[: word.start]) is not None
    return opens and word.key not in known_words and not re.match(r"['’]s\b", text[word.end :])


def _runs(text: str, words: Sequence[_Word], covered: set[int], inside: set[int]) -> Iterator[list[int]]:
    """Yield stretches of capitalised words, joined over spaces, hyphens, initials and words such as "of the"."""
    run: list[int] = []
    for i, word in enumerate(words):
        between = text[words[i - 1].end : word.start] if run else ""
        initial = run and len(words[i - 1].text) == 1 and i - 1 not in covered and between in {".", ". "}
        joined = initial or _WITHIN_NAME.fullmatch(between)
        if run and not (joined and i not in inside and (word.capital or word.key in _CONNECTORS)):
            yield from _ended(run, words)
            run = []
        if i not in inside and (word.capital or run):
            run.append(i)
    yield from _ended(run, words)


def _ended(run: list[int], words: Sequence[_Word]) -> Iterator[list[int]]:
    """Yield the run without the connecting words at its end, if anything is left."""
    while run and not words[run[-1]].capital:
        run = run[:-1]
    if run:
        yield run
