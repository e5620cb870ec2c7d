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
from pathlib import Path
from string import Template

from mmrec.errors import UserError
from mmrec.explain.packet import Packet, clean

DEFAULT_FILE = Path(__file__).with_name("prompt.txt")
REPLY_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "cited_history": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["explanation", "cited_history"],
}
"""JSON schema of a reply; goes into the prompt and to the server, which constrains decoding by it."""

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
        if missing := sorted(_NEEDED - names):
            raise UserError(f"prompt file {path}: ${missing[0]} is missing; it must have {_dollars(_NEEDED)}")

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
    draft = fenced({"explanation": explanation, "not_in_the_data": list(violations)}, limit=2000)
    return (
        f"{prompt}\n\nAn earlier answer was rejected, since the data does not state this:\n{draft}\nAnswer without it."
    )


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
