"""The words that a text about one recommendation may use: its statements by their written forms.

Nothing else has a meaning to the verifier, apart from the words of its grammar. So what a text can claim is closed: a
value that no statement has is an unknown word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import compress, product
from pathlib import Path

from mmrec.explain.facts import MAKERS, is_quality, kind_of, plain_name
from mmrec.explain.knowledge import STOP_WORDS
from mmrec.explain.names import is_pair, shown_title
from mmrec.explain.statements import TITLE_WORD, Evidence, Kind
from mmrec.explain.verify.tokens import price_forms
from mmrec.explain.verify.wording import phrases, phrases_of
from mmrec.explain.verify.words import (
    ARTICLES,
    Key,
    aliases,
    end_in,
    head,
    heads,
    inflected,
    normal_form,
    occurs,
    parts_of,
    whole_forms,
    without_brackets,
)

TERMS_FILE = Path(__file__).with_name("terms.txt")
MAX_SHORTENED = 6
"""Words of the longest title of which any may be left out."""
AKIN = 0.1
"""Least value of `Statement.telling` for a shared fact that makes two items similar."""
_EMPTY = frozenset({(), *((article,) for article in ARTICLES)})
_STOPS = frozenset((word,) for word in STOP_WORDS)
_ENDINGS = {"stripe": ("striped", "stripes"), "check": ("checked", "checks"), "dot": ("dotted", "dots")}


@dataclass(frozen=True)
class Value:
    """A fact of the recommended item.

    Args:
        kind: kind of the fact, such as "colour"; "image" and "text" for themes and words.
        value: the value in lower case.
    """

    kind: str
    value: str


@dataclass(frozen=True)
class Entry:
    """What some words can mean: a fact, the recommended item, or an item of the history.

    Args:
        value: the fact; None for an item.
        title: title of the history item; None for a fact, empty for the recommended item.
        whole: whether the words are a name of the item, not only the end of its title ("the hemp trousers").
    """

    value: Value | None = None
    title: str | None = None
    whole: bool = True


@dataclass
class Lexicon:
    """The forms of one recommendation's statements.

    Args:
        evidence: the statements.

    `entries` maps the words of a form to what they can mean, `kinds` the noun of a kind of fact to the kinds. `owners`
    has the titles of the history items that share a fact, `counts` how many items do. `names` maps each fact to its
    statement, `history` each title to its own statement, `sorts` each title to the forms of its type. `close` has the
    retrieved neighbours, `close_by` those of them that are close by the same modalities, `akin` the history items that
    share a fact which tells something, `influence` those with the largest influence, the first one before the others,
    among the `measured` newest items, or among all for 0. Besides the facts of the catalogue there are nouns, the last
    words of titles, types and categories, and words of the recommended item's title.
    """

    evidence: Evidence
    entries: dict[Key, list[Entry]] = field(default_factory=dict)
    kinds: dict[Key, set[str]] = field(default_factory=dict)
    owners: dict[Value, frozenset[str]] = field(default_factory=dict)
    counts: dict[Value, int] = field(default_factory=dict)
    names: dict[Value, str] = field(default_factory=dict)
    history: dict[str, str] = field(default_factory=dict)
    close: dict[str, str] = field(default_factory=dict)
    close_by: dict[str, set[str]] = field(default_factory=dict)
    sorts: dict[str, set[Key]] = field(default_factory=dict)
    akin: set[str] = field(default_factory=set)
    influence: dict[str, str] = field(default_factory=dict)
    measured: int = 0
    titles_alone: bool = False

    def __post_init__(self) -> None:
        for statement in self.evidence.statements:
            for title in statement.titles:
                self.history.setdefault(title, statement.id)
            if statement.kind is Kind.HISTORY:
                self.history[statement.titles[0]] = statement.id
                if statement.value:
                    self.sorts[statement.titles[0]] = value_forms(statement.value, "type")
            elif statement.kind is Kind.INFLUENCE:
                self.influence = dict.fromkeys(statement.titles, statement.id)
                self.measured = int(statement.value or 0)
            elif statement.kind is Kind.NEIGHBOUR:
                self.close[statement.titles[0]] = statement.id
                if statement.name:
                    self.close_by.setdefault(statement.name, set()).add(statement.titles[0])
            if statement.kind in _VALUES:
                value = value_of(statement.name, statement.value)
                kind = value.kind
                self.owners[value] = frozenset(statement.titles)
                self.counts[value] = statement.count
                self.names[value] = statement.id
                apart = statement.count == 1 or statement.count != self.total  # what all items have makes none similar
                if statement.telling >= AKIN and kind not in ("text", "word") and apart:
                    self.akin |= self.owners[value]
                for form in value_forms(value.value if kind in ("quality", "feature") else statement.value, kind):
                    self._add(form, Entry(value))
                plain = plain_name(statement.name).removeprefix("number of ")
                for noun in (plain, f"number of {plain}", *_kind_nouns(kind)):
                    for key in inflected(normal_form(noun)):
                        self.kinds.setdefault(key, set()).add(kind)
        self._add_titles()
        self.titles_alone = all(value.kind == "word" for value in self.names)
        self._add_nouns()
        self._add_words()
        self._add_short_titles()

    @property
    def total(self) -> int:
        """Number of all history items; 0 if it is not known."""
        return self.evidence.history_size

    @property
    def plural(self) -> bool:
        """Whether the recommended item may be called "they": shoes, or a title in the plural."""
        sorts = (value.value for value in self.names if value.kind in ("type", "category"))
        return self.evidence.title.endswith("s") or any(map(is_pair, sorts))

    @property
    def complete(self) -> bool:
        """Whether all history items are known by name."""
        return 0 < self.total <= len(self.history)

    def _add_titles(self) -> None:
        """Add the titles, and those parts and endings of them that can mean no other item."""
        titles = {"": self.evidence.title, **{title: title for title in self.history}}
        partly: dict[Key, set[Entry]] = {}
        for meaning, title in titles.items():
            for form in whole_forms(title) | {normal_form(shown_title(title))}:
                self._add(form, Entry(title=meaning))
            words = _bare(title)
            endings = [words[start:] for start in range(max(1, len(words) - 3), len(words)) if len(words[-1]) > 2]
            for form in (*aliases(title), *endings):
                partly.setdefault(form, set()).add(Entry(title=meaning, whole=form not in endings))
        for form, entries in partly.items():
            meanings = {entry.title for entry in (*entries, *self.entries.get(form, ())) if entry.title is not None}
            for entry in entries if len(meanings) == 1 else ():
                self._add(form, entry)

    def _add_nouns(self) -> None:
        """Add what the recommended item is called: the heads of its title, types and categories.

        Words of the title in front of such a noun belong to it: "nail lacquer", "oat drink". The title of a film or a
        book is its name and does not say what it is.
        """
        title = self.evidence.title
        named = self.evidence.domain.noun == "item" and title.split()[1:]
        parts = heads(title) if named else set[Key]()
        called = parts.union(*(heads(v.value) for v in self.names if v.kind in ("type", "category")))
        nouns = {form[0] for words in called for form in inflected(words[-1:])}
        for noun in {words[-1:] for words in called}:
            self._add_noun(noun)
        for words in parts:
            for end, word in enumerate(words, start=1):
                for start in range(end - 1) if word in nouns else ():
                    self._add_noun(words[start:end])

    def _add_noun(self, words: Key) -> None:
        value = Value("noun", " ".join(words))
        forms = inflected(words)
        owners = {t for t in self.history if end_in([*heads(t), *map(head, self.sorts.get(t, ()))], forms)}
        sorts = [v for v in self.names if v.kind in ("type", "category") and end_in(heads(v.value), forms)]
        owners = owners.union(*(self.owners[v] for v in sorts))
        self._add_value(value, owners, (form for form in forms if form[-1].isalpha() and len(form[-1]) > 2))

    def _add_words(self) -> None:
        """Add the words of the recommended item's title, which other titles may have too."""
        for word in _bare(self.evidence.title):
            if word not in STOP_WORDS and word.isalpha() and len(word) > 2:
                forms = inflected((word,))
                spelled = {form[0] for form in forms}
                owners = {title for title in self.history if spelled & {*_bare(title)}}
                self._add_value(Value("word", word), owners, forms)
        for words in _parts(self.evidence.title) if self.titles_alone else ():
            for end in range(1, len(words) + 1):
                if words[end - 1] not in STOP_WORDS and words[end : end + 1] in _EMPTY | _STOPS:
                    for start in range(end):
                        self._add_topic(words[start:end])

    def _add_topic(self, words: Key) -> None:
        """Add words of the title as what the item is about, if another title has them: "tiny kitchen"."""
        owners = {t for t in self.history if any(occurs(form, _bare(t)) for form in inflected(words))}
        if owners and not set(words) & STOP_WORDS:
            self._add_value(Value("topic", " ".join(words)), owners, inflected(words))

    def _add_value(self, value: Value, owners: set[str], forms: Iterable[Key]) -> None:
        self.owners[value], self.counts[value] = frozenset(owners), len(owners)
        self.names[value] = self.history[min(owners)] if owners and value.kind in ("word", "topic") else ""
        for form in forms:
            self._add(form, Entry(value))

    def _add_short_titles(self) -> None:
        """Add titles with words left out, where no other title of the recommendation can be meant."""
        parts = {title: _parts(title or self.evidence.title) for title in ("", *self.history)}
        for title, of_title in parts.items():
            others = [words for other, of_other in parts.items() if other != title for words in of_other]
            between = parts_of(title or self.evidence.title)
            for words in of_title:
                maker = max((n for n in range(1, len(words) - 1) if self._is_maker(words[:n])), default=0)
                for form in _shortened(words):
                    if len(form) == 1 and words not in between:
                        continue  # "book" of The Book of Life
                    if self._is_free(form, title) and not any(_is_within(form, other) for other in others):
                        whole = len(form) > 1 and (form[0] == words[0] or form == words[maker:])
                        self._add(form, Entry(title=title, whole=whole))

    def _is_maker(self, words: Key) -> bool:
        return any(entry.value and entry.value.kind in MAKERS for entry in self.entries.get(words, ()))

    def _is_free(self, form: Key, title: str) -> bool:
        """Return whether a form means nothing but a title, and words of it."""
        known = self.entries.get(form, ())
        return all(e.title == title or (e.value and e.value.kind in ("word", "topic")) for e in known)

    def _add(self, form: Key, entry: Entry) -> None:
        if form and (len(form) > 1 or form[0] not in STOP_WORDS) and entry not in self.entries.setdefault(form, []):
            self.entries[form].append(entry)


_VALUES = frozenset({Kind.SHARED, Kind.ATTRIBUTE, Kind.IMAGE, Kind.SHARED_IMAGE, Kind.KEYWORD})


def value_of(name: str, value: str) -> Value:
    """Return the fact with a name and a value in a catalogue."""
    kind, plain = kind_of(name), plain_name(name)
    if name == TITLE_WORD:
        return Value("word", value.casefold())
    if is_quality(name, value):
        verb, _, quality = plain.partition(" ")
        if verb in ("is", "has") and quality:
            return Value("quality" if verb == "is" else "feature", quality)
        return Value("quality", plain)
    return Value(kind, value.casefold())


@cache
def _companies() -> frozenset[str]:
    return frozenset(phrases("companies").split("|"))


def _kind_nouns(kind: str) -> list[str]:
    return phrases_of("kind nouns", kind).split("|")


def _bare(title: str) -> Key:
    """Return the words of a title without brackets."""
    return normal_form(without_brackets(title))


def _parts(title: str) -> list[Key]:
    """Return the words of a title, those of each part between colons, commas and dashes, and of its first phrases."""
    found = [_bare(title), *parts_of(title)]
    found += [words[:end] for words in found for end in range(2, len(words)) if words[end] in STOP_WORDS]
    return [*dict.fromkeys(words[:-1] if words[-1] in ARTICLES else words for words in found if words not in _EMPTY)]


def _shortened(words: Key) -> Iterator[Key]:
    """Yield forms of a title with words left out: its first words, or words in their order with the last one.

    What stands before "of" or "and" is not a name of the item: "The book" for The Book of Life.
    """
    for end in range(1, min(len(words), MAX_SHORTENED + 1)):
        if words[end : end + 1] not in _STOPS:
            yield words[:end]
    for chosen in product((True, False), repeat=len(words) - 1) if len(words) <= MAX_SHORTENED else ():
        yield (*compress(words, chosen), words[-1])


def _is_within(form: Key, words: Key) -> bool:
    """Return whether all words of a form stand in other words, in the same order."""
    rest = iter(words)
    return all(word in rest for word in form)


def value_forms(value: str, kind: str) -> set[Key]:
    """Return the forms in which the value of a fact may be written: singular and plural, synonyms, adjectives."""
    if kind == "price":
        return price_forms(value)
    forms = {form for alias in aliases(value) for form in inflected(alias)}
    if kind in MAKERS:
        forms |= {form[:-1] for form in forms if len(form) > 2 and form[-1] in _companies()}
    for form in list(forms):
        forms |= _synonyms("").get(form, frozenset()) | _synonyms(kind).get(form, frozenset())
        for ending in _ENDINGS.get(form[-1], ()):
            forms.add((*form[:-1], ending))
        if form[0] in ("a", "an", "the") and len(form) > 1:
            forms.add(form[1:])
    return forms


@cache
def _synonyms(kind: str) -> dict[Key, frozenset[Key]]:
    """Return for each form of a common term all forms of the terms it is a form of; "" is for facts of any kind."""
    found: dict[Key, frozenset[Key]] = {}
    for forms in _terms(kind):
        for form in forms:
            found[form] = found.get(form, frozenset()) | forms
    return found


def _terms(kind: str) -> Iterator[frozenset[Key]]:
    """Yield the forms of each term of a section of `terms.txt`."""
    section = ""
    for line in TERMS_FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == kind and line and not line.startswith("#"):
            spelled = [normal_form(form) for form in line.replace("=", "|").split("|") if form.strip()]
            yield frozenset(form for key in spelled for form in inflected(key))
