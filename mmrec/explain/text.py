"""Cleaning of foreign text: what comes from a catalogue or a language model before it is shown or written."""

from __future__ import annotations

from collections.abc import Sequence

from mmrec.utils.text import visible

MAX_CHARS = 200
"""Longest catalogue string that is kept; a title can have thousands of characters and would displace the rest."""


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """Return a foreign string that is safe to show: one line of at most `limit` characters that can be encoded.

    Control, escape, format and surrogate characters are removed. Format characters include bidirectional overrides and
    zero-width letters, which hide text from a reader.
    """
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def joined(parts: Sequence[str]) -> str:
    """Return the parts as a list in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
