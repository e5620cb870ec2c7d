"""Titles and values as a sentence shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmrec.explain.facts import PEOPLE

_TURNED = re.compile(r"^(?P<rest>.+), (?P<article>The|A|An|Le|La|Les|Der|Die|Das|El|Il)$")
_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_LONGEST = 48
_QUOTES = str.maketrans(dict.fromkeys('"“”„«»「」『』《》', "′"))
_PROPER = PEOPLE | {"brand", "section", "country", "collection", "title"}
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
    bare = bare.rstrip(" .,;:!-").lstrip(" +*-.,;:!") or title
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
    if kind in _PROPER:
        return value.title() if value.isupper() and len(value) > 5 else value
    return value if re.search(r"\d", value) or value.isupper() else value.lower()


def with_article(noun: str) -> str:
    """Return a noun with "a", "an" or "a pair of"."""
    last = noun.split()[-1] if noun.split() else noun
    if last in _PAIRS:
        return f"a pair of {noun}"
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def is_countable(noun: str) -> bool:
    """Return whether a noun takes an article: a pair of shoes, or a word that does not look like a plural."""
    last = noun.split()[-1] if noun.split() else ""
    return last in _PAIRS or not last.endswith("s") or last.endswith("ss") or last == "dress"


def joined(parts: Sequence[str]) -> str:
    """Return the parts as a list in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
