"""What an explanation names, marked in its text: each verified fact with the kind of fact it is."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from mmrec.explain.packet import HistoryItem, Packet
from mmrec.explain.verify import Verifier


@dataclass(frozen=True)
class Piece:
    """A stretch of a text.

    Args:
        text: as written.
        kind: what it names (title, brand, year ...), None for words in between.
        holds: whether the evidence states it.
    """

    text: str
    kind: str | None = None
    holds: bool = True


def packet_of(saved: dict[str, Any]) -> Packet:
    """Return the evidence packet of a row of `explanations.jsonl`."""
    return Packet(**{**saved, "history": [HistoryItem(**item) for item in saved["history"]]})


def marked(text: str, packet: Packet) -> list[Piece]:
    """Cut an explanation into pieces: what it names, looked up in the packet now, and the words in between.

    The common terms and the packet's own are looked for. Names of other items of the catalogue are what the writer of
    the text has rejected already.

    Args:
        text: the explanation.
        packet: its evidence.
    """
    text = unicodedata.normalize("NFKC", text)  # mentions have their places in this form
    pieces, end = [], 0
    for mention in Verifier()(text, packet).mentions:
        if mention.start < end:
            continue
        pieces += [
            Piece(text[end : mention.start]),
            Piece(text[mention.start :][: len(mention.text)], mention.kind, mention.linked),
        ]
        end = mention.start + len(mention.text)
    return [piece for piece in (*pieces, Piece(text[end:])) if piece.text]
