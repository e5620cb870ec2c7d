"""Reading a reply: the JSON object in it, cleaned of what must not reach a terminal or a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from mmrec.explain.llm.base import MAX_TOKENS, FailureKind, LLMFailure
from mmrec.utils.text import visible

MAX_REPLY_BYTES = 1 << 20
"""Largest reply that is read: `MAX_TOKENS` take some kilobytes, and a model's list of a server some hundred."""
_THOUGHT = re.compile(r"^\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


def parse_object(content: str) -> dict[str, object]:
    """Return the JSON object of a reply, with cleaned strings.

    Thoughts before the answer (`<think>...</think>`), code fences and text around the object are skipped.

    Raises:
        LLMFailure: the reply has no JSON, or JSON that is not an object.
    """
    text = _THOUGHT.sub("", content, count=1)
    fenced = _FENCE.match(text)
    text = (fenced[1] if fenced else text).strip()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = _object_within(text)
    if data is None:
        raise LLMFailure(FailureKind.INVALID_JSON, f"invalid JSON: {visible(content)[:60]!r}")
    if not isinstance(data, dict):
        raise LLMFailure(FailureKind.SCHEMA, "wrong schema: the reply is not a JSON object")
    return cleaned(data)


def cleaned(data: Mapping[str, object]) -> dict[str, object]:
    """Return a JSON object whose strings, keys included, hold only characters that can be shown and encoded."""
    return {visible(str(name)): _cleaned(value) for name, value in data.items()}


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return cleaned(value)
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


def _object_within(text: str) -> object:
    """Return the first JSON object in a text, None where there is none."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def check_end(finish_reason: str | None) -> None:
    """Raise LLMFailure if the decoding ended at the limit of tokens."""
    if finish_reason == "length":
        raise LLMFailure(FailureKind.TRUNCATED, f"truncated: no end after {MAX_TOKENS} tokens")
