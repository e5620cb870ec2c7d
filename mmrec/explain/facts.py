"""What the facts of a catalogue are about: kinds of facts by their names, and values that tell a reader nothing."""

from __future__ import annotations

import re
from functools import cache

_NAMES = {
    "brand": ["brand", "manufacturer", "maker", "store", "label", "company"],
    "colour": ["colour", "color", "shade"],
    "material": ["material", "fabric"],
    "pattern": ["pattern", "print", "graphical appearance"],
    "type": ["type", "product type", "item type", "article type", "garment type"],
    "category": ["category", "subcategory", "sub category", "product category", "main category"],
    "genre": ["genre"],
    "director": ["director"],
    "actor": ["actor", "actress", "cast", "star"],
    "author": ["author", "writer"],
    "artist": ["artist", "band", "musician", "singer"],
    "year": ["year", "release year", "publication year"],
    "price": ["price", "cost"],
    "collection": ["collection", "series", "line"],
    "section": ["section", "department", "index", "product group", "garment"],
    "country": ["country", "country of origin", "origin"],
    "size": ["size"],
}
_KIND_OF = {name: kind for kind, names in _NAMES.items() for name in names}
PEOPLE = frozenset({"director", "actor", "author", "artist"})
"""Kinds whose values are names of people."""
_ENDINGS = re.compile(r"\s+(name|group|value|title|label)$")
_IDENTIFIER_NAME = re.compile(r"\b(id|ids|code|no|number|sku|asin|isbn|ean|upc|gtin|url|link|hash|image)$")
_IDENTIFIER = re.compile(r"(?=(?:.*\d){4})[A-Za-z0-9_-]{6,}|https?://.*|[0-9a-f-]{20,}")
_NO_VALUE = frozenset({"unknown", "none", "n/a", "na", "nan", "null", "other", "undefined", "unspecified"})
MAX_VALUE = 60
"""Characters; a longer value is a description."""


@cache
def plain_name(name: str) -> str:
    """Return the name of a fact in words, in the singular: `colour_group_name` is "colour"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ")
    words = " ".join(spaced.split()).casefold()
    while (shorter := _ENDINGS.sub("", words)) != words:
        words = shorter
    if words.endswith("ies") and words != "series":
        return words[:-3] + "y"
    if len(words) > 3 and words.endswith("s") and not words.endswith(("ss", "series", "us")):
        return words[:-1]
    return words


@cache
def kind_of(name: str) -> str:
    """Return the kind of a fact by its name, such as "colour"; the plain name itself for a name that is not known."""
    plain = plain_name(name)
    return _KIND_OF.get(plain, plain)


def is_telling(name: str, value: str) -> bool:
    """Return whether a reader can make something of a fact: not of ids, addresses, placeholders and descriptions."""
    plain = plain_name(name)
    if not plain or len(value) > MAX_VALUE or _IDENTIFIER_NAME.search(plain) or value.casefold() in _NO_VALUE:
        return False
    if not any(letter.isalnum() for letter in value) or value.casefold().startswith("other "):
        return False
    return kind_of(name) in ("price", "year", "size") or not _IDENTIFIER.fullmatch(value)
