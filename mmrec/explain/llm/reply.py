"""The form of a reply, and its validation."""

from __future__ import annotations

import json

from mmrec.explain.llm.base import FailureKind, LLMFailure, Reply

REPLY_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string", "maxLength": 600},
        "cited_history": {"type": "array", "items": {"type": "string", "maxLength": 200}, "maxItems": 5},
    },
    "required": ["explanation", "cited_history"],
}
"""JSON schema of a reply; goes into the prompt and to the model, whose decoding is constrained by it. The bounds keep a
small model that has lost its way from running on to the bound on tokens."""


def parse_reply(content: str) -> Reply:
    """Validate a reply against `REPLY_SCHEMA`. Raises LLMFailure (invalid JSON, wrong schema, empty text, runaway)."""
    try:
        data = json.loads(content)
    except ValueError:
        raise LLMFailure(FailureKind.INVALID_JSON, f"invalid JSON: {content[:60]!r}") from None
    text, cited = (data.get("explanation"), data.get("cited_history")) if isinstance(data, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(cited, list) or not all(isinstance(c, str) for c in cited):
        raise LLMFailure(FailureKind.SCHEMA, "wrong schema: needs explanation (text) and cited_history (list of text)")
    text = " ".join(text.split())
    if not text:
        raise LLMFailure(FailureKind.EMPTY, "empty text")
    words = text.casefold().split()
    if len(words) > 40 and len(set(words)) < 0.3 * len(words):  # a small model caught in a loop
        raise LLMFailure(FailureKind.RUNAWAY, f"runaway: {len(words)} words, {len(set(words))} different")
    return Reply(text, tuple(cited))
