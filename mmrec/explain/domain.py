"""The words of a catalogue: what its items are called and what users do with them."""

from __future__ import annotations

from dataclasses import dataclass

from mmrec.explain.knowledge import Knowledge


@dataclass(frozen=True)
class Domain:
    """Words for one kind of catalogue.

    Args:
        noun: what an item is called, such as "film".
        nouns: the plural of `noun`.
        did: what users did with the items of their history, in the simple past.
        done: the past participle of `did`.
        image: what the image of an item is called.
    """

    noun: str = "item"
    nouns: str = "items"
    did: str = "chose"
    done: str = "chosen"
    image: str = "image"


FILMS = Domain("film", "films", "watched", "watched", "poster")
BOOKS = Domain("book", "books", "read", "read", "cover")
GAMES = Domain("game", "games", "played", "played", "cover")
MUSIC = Domain("album", "albums", "played", "played", "cover")
SHOP = Domain("item", "items", "bought", "bought", "photo")
PLAIN = Domain()
_SIGNS = (
    (FILMS, {"director", "actor"}, set[str]()),
    (BOOKS, {"author"}, {"publisher", "page", "genre", "isbn"}),
    (MUSIC, {"artist"}, {"label", "genre", "track"}),
    (GAMES, {"developer"}, {"publisher", "platform", "player"}),
)
"""Domain, kinds of facts that it has, and further kinds of which it needs one: a recipe has an author too."""


def domain_of(knowledge: Knowledge) -> Domain:
    """Return the words that fit a catalogue, by the kinds of facts its items have."""
    kinds = knowledge.kinds
    for domain, signs, further in _SIGNS:
        if kinds & signs and (not further or kinds & further):
            return domain
    if kinds & {"price", "material", "colour", "size", "brand", "section", "pattern"}:
        return SHOP
    return PLAIN
