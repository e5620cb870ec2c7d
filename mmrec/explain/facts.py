"""What the facts of a catalogue are about: kinds of facts by their names, and values that tell a reader nothing."""

from __future__ import annotations

import re
from functools import cache

_NAMES = {
    "brand": ["brand", "manufacturer", "maker", "store", "company"],
    "colour": ["colour", "color", "shade"],
    "material": ["material", "fabric"],
    "pattern": ["pattern", "print", "graphical appearance"],
    "type": ["type", "product type", "item type", "article type", "garment type"],
    "category": ["category", "subcategory", "sub category", "product category", "main category"],
    "genre": ["genre"],
    "director": ["director"],
    "actor": ["actor", "actress", "cast"],
    "author": ["author", "writer"],
    "artist": ["artist", "musician", "singer"],
    "developer": ["developer"],
    "year": ["year", "release year", "publication year"],
    "price": ["price", "cost"],
    "collection": ["collection", "series", "line"],
    "section": ["section", "department", "index", "product group", "garment"],
    "country": ["country", "country of origin", "origin"],
    "size": ["size", "pack size", "package size"],
}
# Names such as star (a rating), band (of a watch) and studio (of a film or a game) are ambiguous and stay as they are.
_KIND_OF = {name: kind for kind, names in _NAMES.items() for name in names}
PEOPLE = frozenset({"director", "actor", "author", "artist"})
"""Kinds whose values are names of people."""
MAKERS = frozenset({"brand", "label", "director", "author", "artist", "developer", "publisher"})
"""Kinds of facts that are names of those who made an item."""
_ENDINGS = re.compile(r"\s+(name|group|value|title|label)$")
_IDENTIFIER_NAME = re.compile(r"\b(id|ids|code|no|number|sku|asin|isbn|ean|upc|gtin|url|link|hash|image)$")
_IDENTIFIER = re.compile(r"(?=(?:.*\d){4})[A-Za-z0-9_-]{6,}|https?://.*|[0-9a-f-]{20,}")
_NO_VALUE = frozenset(
    {"unknown", "none", "n/a", "na", "nan", "null", "other", "undefined", "unspecified", "no", "false"}
)  # that an item is not organic is not why somebody buys it
_YES = frozenset({"yes", "true"})
_COUNTED = frozenset({"pages", "players", "discs", "pieces", "tracks", "episodes"})
"""Names of facts that are numbers of something."""
_COUNT = re.compile(rf"^(?:(?:num|n|nr|number of|no of|count of) (?=[a-z])|total (?=(?:{'|'.join(_COUNTED)})$))")
MAX_VALUE = 60
"""Characters; a longer value is a description."""


@cache
def plain_name(name: str) -> str:
    """Return the name of a fact in words, in the singular: `colour_group_name` is "colour".

    A count stays in the plural: `num_pages` is "number of pages".
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")
    words = " ".join(spaced.split()).casefold()
    while (shorter := _ENDINGS.sub("", words)) != words:
        words = shorter
    counted = _COUNT.sub("", words)
    return f"number of {counted}" if counted != words or words in _COUNTED else _singular(words)


def _singular(words: str) -> str:
    if words.endswith("ies") and words != "series":
        return words[:-3] + "y"
    if len(words) > 3 and words.endswith("s") and not words.endswith(("ss", "series", "us")):
        return words[:-1]
    return words


@cache
def kind_of(name: str) -> str:
    """Return the kind of a fact by its name, such as "colour"; the noun itself for a name that is not known."""
    noun = _singular(plain_name(name).removeprefix("number of "))
    return _KIND_OF.get(noun, noun)


def said_of(name: str, value: str) -> str:
    """Return what a fact says of an item, as the end of a sentence after "it".

    A quality is a fact whose value is "yes": `is_organic` gives "is organic", `has_lid` "has lid", `vegan` "is listed
    as vegan". Another fact is said by its name: "has the pack size 1 l".
    """
    plain = plain_name(name)
    if is_quality(name, value):
        return plain if plain.startswith(("is ", "has ")) else f"is listed as {plain}"
    return f"has the {plain} {value}"


def is_quality(name: str, value: str) -> bool:
    """Return whether the value of a fact only says that its name is true; a maker may be called Yes."""
    return value.casefold() in _YES and kind_of(name) not in PEOPLE | MAKERS


def may_be(kind: str, value: str) -> bool:
    """Return whether a value can be one of a kind: a name of people has letters, "4.5" is a rating."""
    return kind not in PEOPLE or any(letter.isalpha() for letter in value)


def is_telling(name: str, value: str) -> bool:
    """Return whether a reader can make something of a fact: not of ids, addresses, placeholders and descriptions."""
    plain = plain_name(name)
    if not may_be(kind_of(name), value):
        return False
    if not plain or len(value) > MAX_VALUE or _IDENTIFIER_NAME.search(plain) or value.casefold() in _NO_VALUE:
        return False
    if not any(letter.isalnum() for letter in value) or value.casefold().startswith("other "):
        return False
    return kind_of(name) in ("price", "year", "size") or not _IDENTIFIER.fullmatch(value)
