"""Cleaning of foreign text: what comes from a catalogue or a language model before it is shown or written."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MAX_CHARS = 200
"""Longest catalogue string that is kept; a title can have thousands of characters and would displace the rest."""


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """Return a foreign string that is safe to show: one line of at most `limit` characters that can be encoded.

    Control, escape, format and surrogate characters are removed. Format characters include bidirectional overrides and
    zero-width letters, which hide text from a reader.
    """
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def visible(text: str) -> str:
    """Return the text without the characters of the Unicode categories C (control, format, surrogate, unassigned).

    White space of any kind, line breaks included, becomes a space.
    """
    return "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")


def joined(parts: Sequence[str]) -> str:
    """Return the parts as a list in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
