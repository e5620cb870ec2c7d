"""Foreign text: what comes from a catalogue, a file name or a language model."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """Return the text without the characters of the Unicode categories C (control, format, surrogate, unassigned).

    They include escape sequences, which steer a terminal, and bidirectional overrides and zero-width letters, which
    hide text from a reader. White space of any kind, line breaks included, becomes a space.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
