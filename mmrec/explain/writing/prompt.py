"""The prompt of eq. 17: Prompt = TaskDesc + History(S) + Candidate(c_j) + MultimodalFeatures(c_j).

The wording is a text file with placeholders: `grounded.txt` or `free.txt`, or the user's own. TaskDesc is what the file
itself says; `$history`, `$candidate` and `$features` are the other terms, `$statements` the anchors of section 3.5 and
`$schema` the form of the answer. A file may leave out the ones that its way of writing does not need.

Catalogue text is data. It enters only as JSON strings inside a fenced block, cleaned and capped, and the characters
that could close the block or look like markup are escaped, so no title can change the structure of the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from string import Template

from mmrec.errors import UserError
from mmrec.explain.llm.base import CONTEXT_TOKENS, MAX_TOKENS
from mmrec.explain.packet import HistoryItem, Packet
from mmrec.explain.statements import Statement
from mmrec.explain.text import clean

FILES = {way: Path(__file__).with_name(f"{way}.txt") for way in ("grounded", "free")}
"""The prompt files of the two ways of writing."""
CORRECTION_BYTES = 2000
"""Room for a rejected answer and what is wrong with it."""
PROMPT_BYTES = CONTEXT_TOKENS - MAX_TOKENS - CORRECTION_BYTES - 100  # 100 tokens for the marks of a chat
"""Largest prompt. A token has at least one byte, so the prompt, its correction and the answer fit into the context of
any model: a server drops what does not fit, the rules at the beginning first, and says nothing."""
LEAST_BYTES = 3000
"""Room for the data: the longest title, and one of the history, take 2,400 with every letter escaped."""

_NEEDED = {"grounded": {"statements"}, "free": {"history", "candidate"}}
_ALLOWED = {"history", "candidate", "features", "statements", "schema"}
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "`<>"}
_LIMITS = (200, 100, 60, 30, 15)


class Prompt:
    """A prompt template.

    Args:
        file: the template; the one of the package for this way of writing if None.
        way: "grounded" or "free".

    Raises:
        UserError: the file cannot be read, lacks a placeholder it needs, or has one that is not filled.
    """

    def __init__(self, file: Path | None = None, way: str = "grounded") -> None:
        path = Path(file or FILES[way])
        needed = _NEEDED[way]
        try:
            self._template = Template(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"prompt file {path} cannot be read: {error}") from None
        if not self._template.is_valid():
            raise UserError(f"prompt file {path}: a lone $ starts no placeholder; write $$ for a dollar sign")
        names = set(self._template.get_identifiers())
        if unknown := sorted(names - _ALLOWED):
            raise UserError(f"prompt file {path}: unknown placeholder ${unknown[0]}; use {_dollars(_ALLOWED)}")
        if (size := len(path.read_bytes())) > PROMPT_BYTES - LEAST_BYTES:
            raise UserError(
                f"prompt file {path}: {size} bytes leave no room for the data; write at most "
                f"{PROMPT_BYTES - LEAST_BYTES}"
            )
        if missing := sorted(needed - names):
            raise UserError(f"prompt file {path}: ${missing[0]} is missing; it must have {_dollars(needed)}")

    def render(self, packet: Packet, statements: Sequence[Statement], schema: Mapping[str, object]) -> str:
        """Fill the template (eq. 17) with as much of the data as `PROMPT_BYTES` hold.

        Long strings are cut first, then the oldest history and the statements that tell least are left out, and at
        last the facts that the history shares.
        """
        bare = replace(packet, history=[replace(item, shared={}) for item in packet.history])
        text = ""
        for part, data in ((1.0, packet), (0.5, packet), (0.25, packet), (0.0, packet), (0.0, bare)):
            history = max(1, round(part * len(packet.history)))
            shown = max(2, round(part * len(statements)))
            for limit in _LIMITS:
                text = self._fill(data, data.history[-history:], statements[:shown], schema, limit)
                if len(text.encode()) <= PROMPT_BYTES:
                    return text
        return text

    def _fill(
        self, packet: Packet, history: Sequence[HistoryItem], statements: Sequence[Statement],
        schema: Mapping[str, object], limit: int,
    ) -> str:  # fmt: skip
        items = [{"title": item.title, "shared": item.shared} for item in history]
        features = {"keywords": packet.keywords, "visual": packet.visual, "signals": packet.signals}
        return self._template.substitute(
            history=fenced({"history": items, "most_like_it": packet.neighbours}, limit),
            candidate=fenced({"title": packet.title}, limit),
            features=fenced(features, limit),
            statements=fenced({statement.id: statement.text for statement in statements}, limit),
            schema=json.dumps(schema),
        )


def with_violations(prompt: str, explanation: str, violations: Sequence[str]) -> str:
    """Return the prompt that asks again, with the rejected text and what was wrong with it (section 3.5.2)."""
    for limit in (600, 200, 60, 20):  # characters of each string, until it fits
        draft = fenced({"explanation": explanation, "wrong_with_it": list(violations[:8])}, limit)
        again = f"\n\nAn earlier answer was rejected:\n{draft}\nAnswer anew without what was wrong."
        if len(again.encode()) <= CORRECTION_BYTES:
            break
    return prompt + again


def fenced(value: object, limit: int = 200) -> str:
    """Return JSON data in a fenced block that its content cannot close; strings are cleaned and capped at `limit`."""
    text = json.dumps(_cleaned(value, limit), ensure_ascii=False)
    return f"```json\n{text.translate(_ESCAPES)}\n```"


def _cleaned(value: object, limit: int) -> object:
    if isinstance(value, str):
        return clean(value, limit)
    if isinstance(value, dict):
        return {clean(str(name), limit): _cleaned(inner, limit) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, limit) for inner in value]
    return value


def _dollars(names: set[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(names))
