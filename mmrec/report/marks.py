"""The evidence behind the words of an explanation, marked in its text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmrec.explain.packet import HistoryItem, Packet
from mmrec.explain.verify import Verifier


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    Args:
        text: the words.
        evidence: what the words rest on, for a tooltip; empty for words in between.
        holds: whether the evidence states them.
    """

    text: str
    evidence: str = ""
    holds: bool = True


def pieces(row: dict[str, Any]) -> list[Piece]:
    """Cut the text of an explanation into pieces: the parts that statements support, and the words in between.

    Args:
        row: row of `explanations.jsonl`, see `mmrec.explain`. Rows of versions without statements are checked against
            their packet now.
    """
    if not row.get("sentences"):
        return _checked(row["text"], row["packet"])
    statements = {one["id"]: one["text"] for one in row.get("statements") or []}
    made: list[Piece] = []
    for sentence in row["sentences"]:
        made += [Piece(" ")] if made else []
        made += _supported(sentence["text"], sentence["spans"], statements)
    return made


def _supported(text: str, spans: list[tuple[int, int, str]], statements: dict[str, str]) -> Iterator[Piece]:
    end = 0
    for start, stop, statement in spans:
        if end <= start < stop <= len(text):
            yield from _plain(text[end:start])
            yield Piece(text[start:stop], statements.get(statement, statement))
            end = stop
    yield from _plain(text[end:])


def _plain(text: str) -> list[Piece]:
    return [Piece(text)] if text else []


def _checked(text: str, packet: dict[str, Any]) -> list[Piece]:
    """Look up what a text names in its packet. Names of other catalogue items were rejected when it was written."""
    text = unicodedata.normalize("NFKC", text)  # the positions of mentions refer to this form
    known = {name: packet[name] for name in Packet.__dataclass_fields__ if name in packet}
    evidence = Packet(**{**known, "history": [HistoryItem(**item) for item in packet["history"]]})
    made: list[Piece] = []
    end = 0
    for mention in Verifier()(text, evidence).mentions:
        if mention.start < end:
            continue
        stop = mention.start + len(mention.text)
        words = f"{mention.kind}: {'in the facts' if mention.linked else 'not in the facts'}"
        made += [*_plain(text[end : mention.start]), Piece(text[mention.start : stop], words, mention.linked)]
        end = stop
    return made + _plain(text[end:])
