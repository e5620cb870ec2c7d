"""The form of a reply, and what makes one valid."""

from __future__ import annotations

import json
import re
from collections import Counter

from mmrec.explain.llm.base import MAX_TOKENS, FailureKind, LLMFailure, Reply

MAX_EXPLANATION = 600
"""Characters. Three sentences need about half; a small model that is stuck would run on to the bound on tokens."""
MIN_EXPLANATION = 20
"""Characters. A model that may say nothing does, where a sentence is the harder way."""
MAX_CITED = 5
"""Titles. Three sentences can name no more, and a stuck model lists the same one for ever."""
MAX_TITLE = 200
"""Characters of a cited title: no title of a prompt is longer."""

REPLY_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string", "minLength": MIN_EXPLANATION, "maxLength": MAX_EXPLANATION},
        "cited_history": {
            "type": "array",
            "items": {"type": "string", "maxLength": MAX_TITLE},
            "maxItems": MAX_CITED,
        },
    },
    "required": ["explanation", "cited_history"],
    "additionalProperties": False,
}
"""JSON schema of a reply; goes into the prompt and to whoever decodes, which is constrained by it."""

_LOOP_WORDS = 8
"""So many words in the same order three times over are a loop; titles and phrases that may well recur are shorter."""


def parse_reply(content: str) -> Reply:
    """Validate a reply against `REPLY_SCHEMA`.

    Raises:
        LLMFailure: invalid JSON, wrong schema, empty text, a text in a loop, or one that reached its bound: decoding by
            the schema cuts it off there and closes the JSON, so that it looks whole.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise LLMFailure(FailureKind.INVALID_JSON, f"invalid JSON: {content[:60]!r}") from None
    text, cited = (data.get("explanation"), data.get("cited_history")) if isinstance(data, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(cited, list) or not all(isinstance(c, str) for c in cited):
        raise LLMFailure(FailureKind.SCHEMA, "wrong schema: needs explanation (text) and cited_history (list of text)")
    if len(cited) > MAX_CITED or any(len(c) > MAX_TITLE for c in cited):
        raise LLMFailure(FailureKind.SCHEMA, f"wrong schema: over {MAX_CITED} cited titles, or {MAX_TITLE} characters")
    plain = " ".join(text.split())
    if not plain:
        raise LLMFailure(FailureKind.EMPTY, "empty text")
    if loop := loop_of(plain.casefold()):
        raise LLMFailure(FailureKind.RUNAWAY, f"runaway: {loop}")
    if len(text) >= MAX_EXPLANATION:
        raise LLMFailure(FailureKind.TRUNCATED, f"truncated: no end after {MAX_EXPLANATION} characters")
    return Reply(plain, tuple(cited))


def check_end(finish_reason: str | None) -> None:
    """Raise LLMFailure if the decoding ended at the bound on tokens."""
    if finish_reason == "length":
        raise LLMFailure(FailureKind.TRUNCATED, f"truncated: no end after {MAX_TOKENS} tokens")


def loop_of(text: str) -> str | None:
    """Say how a text repeats itself, or return None."""
    words = text.split()
    if len(words) > 40 and len(set(words)) < 0.3 * len(words):
        return f"{len(words)} words, {len(set(words))} different"
    runs = zip(*(words[i:] for i in range(_LOOP_WORDS)), strict=False)
    parts = Counter(re.split(r"(?<=[.!?…])\s+", text)) + Counter(" ".join(run) for run in runs)
    part, times = parts.most_common(1)[0]
    return f"{part[:60]!r} {times} times" if times >= 3 else None
