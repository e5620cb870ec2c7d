"""Titles and values as a sentence shows them."""

from __future__ import annotations

import re

from mmrec.explain.facts import PEOPLE

_TURNED = re.compile(r"^(?P<rest>.+), (?P<article>The|A|An|Le|La|Les|Der|Die|Das|El|Il)$")
_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_LONGEST = 48
_QUOTES = str.maketrans(dict.fromkeys('"“”„«»「」『』《》', "′"))
_PROPER = PEOPLE | {"brand", "section", "country", "collection", "title", "developer"}
_COMMON = frozenset({"colour", "material", "pattern", "type", "category", "genre", "size", "image", "text"})
"""Kinds whose values are common words; values of kinds that are not known stay as they are written."""
PAIR = "pair of "
_PAIRS = frozenset(
    {
        "trousers", "shoes", "shorts", "jeans", "leggings", "tights", "sunglasses", "glasses", "gloves", "socks",
        "boots", "sneakers", "sandals", "earrings", "pants", "slippers", "heels", "flats", "pumps", "trainers",
        "chinos",
    }
)  # fmt: skip


def shown_title(title: str) -> str:
    """Return a catalogue title as a reader would write it: article in front, no year or number in brackets, short."""
    bare = title
    while (shorter := _BRACKETS.sub("", bare)) and shorter != bare:
        bare = shorter
    bare = bare.rstrip(" .,;:!-").lstrip(" +*-.,;:!&") or title
    if match := _TURNED.match(bare):
        bare = f"{match['article']} {match['rest']}"
    if bare.isupper() and len(bare) > 4:
        bare = bare.title()
    return _shortened(bare).translate(_QUOTES)


def _shortened(title: str) -> str:
    if len(title) <= _LONGEST:
        return title
    parts = re.split(r"\s*(?:,|;| - | – | \| |\()\s*", title)
    if 12 <= len(parts[0]) <= _LONGEST:
        return parts[0]
    return title[: title.rindex(" ", 0, _LONGEST)] + "…" if " " in title[12:_LONGEST] else title[:_LONGEST] + "…"


def quoted(title: str) -> str:
    """Return a title in quotation marks."""
    return f"“{shown_title(title)}”"


def shown_value(kind: str, value: str) -> str:
    """Return the value of a fact in the letter case of running text."""
    if kind in ("collection", "brand") and value.islower():
        return value.capitalize()
    if kind in _PROPER:
        return value.title() if value.isupper() and len(value) > 5 else value
    common = kind in _COMMON and not re.search(r"\d", value) and not value.isupper()
    return value.lower() if common else value


def with_article(noun: str) -> str:
    """Return a noun with "a", "an" or "a pair of"."""
    if is_pair(noun):
        return f"a {PAIR}{noun}"
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def is_pair(noun: str) -> bool:
    """Return whether a noun is said of one thing in the plural: "these shoes"."""
    return _last_word(noun) in _PAIRS


def is_countable(noun: str) -> bool:
    """Return whether a noun takes an article: a pair of shoes, or a word that does not look like a plural."""
    last = _last_word(noun)
    return last in _PAIRS or not last.endswith("s") or last.endswith("ss") or last == "dress"


def _last_word(noun: str) -> str:
    return (re.split(r"[\s/]+", noun.strip().lower()) or [""])[-1]
