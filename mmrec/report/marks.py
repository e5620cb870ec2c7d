"""The evidence behind the words of an explanation, marked in its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    Args:
        text: the words.
        evidence: the statement that supports the words, for a tooltip; empty for words in between.
    """

    text: str
    evidence: str = ""


def pieces(row: dict[str, Any]) -> list[Piece]:
    """Cut the text of an explanation into pieces: the parts that statements support, and the words in between.

    Args:
        row: row of `explanations.jsonl`, see `mmrec.explain`. Rows of versions without statements have no marks.
    """
    if not row.get("sentences"):
        return _plain(row["text"])
    statements = {one["id"]: one["text"] for one in row.get("statements") or []}
    made: list[Piece] = []
    for sentence in row["sentences"]:
        made += [Piece(" ")] if made else []
        made += _supported(sentence["text"], sentence["spans"], statements)
    return made


def _supported(text: str, spans: list[list[Any]], statements: dict[str, str]) -> Iterator[Piece]:
    end = 0
    for span in spans:
        match span:
            case [int(start), int(stop), str(statement)] if end <= start < stop <= len(text):
                yield from _plain(text[end:start])
                yield Piece(text[start:stop], statements.get(statement, statement))
                end = stop
    yield from _plain(text[end:])


def _plain(text: str) -> list[Piece]:
    return [Piece(text)] if text else []
