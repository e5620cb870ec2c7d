"""The prompt of eq. 17: Prompt = TaskDesc + History(S) + Candidate(c_j) + MultimodalFeatures(c_j).

The wording is a text file with placeholders (`prompt.txt` here, or the user's own). TaskDesc is what the file itself
says; `$history`, `$candidate`, `$features` are the other terms, `$facts` the anchors of section 3.5 and `$schema` the
form of the answer. A file may leave out the last three: so a prompt without facts is made.

Catalogue text is data. It enters only as JSON strings inside a fenced block, cleaned and capped, and the characters
that could close the block or look like markup are escaped, so no title can change the structure of the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import Template

from mmrec.errors import UserError
from mmrec.explain.llm.base import CONTEXT_TOKENS, MAX_TOKENS
from mmrec.explain.llm.reply import REPLY_SCHEMA
from mmrec.explain.packet import Packet, clean

DEFAULT_FILE = Path(__file__).with_name("prompt.txt")
CORRECTION_BYTES = 2000
"""Room for a rejected answer and what is wrong with it."""
PROMPT_BYTES = CONTEXT_TOKENS - MAX_TOKENS - CORRECTION_BYTES - 100  # 100 tokens for the marks of a chat
"""A token has a byte at least, so that a prompt of so many bytes, its correction and the answer fit into the context
of any model: a server drops what does not, the rules at the beginning first, and says nothing."""
LEAST_BYTES = 3000
"""Of these, for the data: the longest title, and one of the history, take 2,400 with every letter escaped."""

_NEEDED = {"history", "candidate"}
_ALLOWED = _NEEDED | {"features", "facts", "schema"}
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "`<>"}


class Prompt:
    """A prompt template.

    Args:
        file: the template; the one shipped with the package if None.

    Raises:
        UserError: if the file cannot be read, lacks `$history` or `$candidate`, or has a placeholder we do not fill.
    """

    def __init__(self, file: Path | None = None) -> None:
        path = Path(file or DEFAULT_FILE)
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
        if missing := sorted(_NEEDED - names):
            raise UserError(f"prompt file {path}: ${missing[0]} is missing; it must have {_dollars(_NEEDED)}")

    def fit(self, packet: Packet) -> Packet:
        """Return as much of a packet as a prompt of `PROMPT_BYTES` holds.

        The oldest history goes first, but for its newest item, then the last facts, then neighbours and theme words.
        """
        while len(self.render(packet).encode()) > PROMPT_BYTES:
            if len(packet.history) > 1:
                packet = replace(packet, history=packet.history[1:])
            elif len(packet.facts) > 1:
                packet = replace(packet, facts=dict(list(packet.facts.items())[:-1]))
            elif packet.neighbours or packet.keywords or packet.visual:
                packet = replace(packet, neighbours=[], keywords=[], visual=[])
            elif packet.facts:
                packet = replace(packet, facts={})
            else:
                return replace(packet, history=[replace(item, shared={}) for item in packet.history])
        return packet

    def render(self, packet: Packet) -> str:
        """Fill the template from a packet (eq. 17)."""
        history = [{"title": item.title, "shared": item.shared} for item in packet.history]
        features = {"keywords": packet.keywords, "visual": packet.visual, "signals": packet.signals}
        return self._template.substitute(
            history=fenced({"history": history, "most_like_it": packet.neighbours}),
            candidate=fenced({"title": packet.title}),
            features=fenced(features),
            facts=fenced(packet.facts),
            schema=json.dumps(REPLY_SCHEMA),
        )


def with_violations(prompt: str, explanation: str, violations: Sequence[str]) -> str:
    """Ask again: the same prompt, the rejected text and what was wrong with it (section 3.5.2, correction)."""
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
