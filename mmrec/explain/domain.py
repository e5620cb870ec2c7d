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


def domain_of(knowledge: Knowledge) -> Domain:
    """Return the words that fit a catalogue, by the kinds of facts its items have."""
    kinds = knowledge.kinds
    if kinds & {"director", "actor"}:
        return FILMS
    if "author" in kinds:
        return BOOKS
    if "artist" in kinds:
        return MUSIC
    if "developer" in kinds:
        return GAMES
    if kinds & {"price", "material", "colour", "size", "brand", "section", "pattern"}:
        return SHOP
    return PLAIN
