"""Texts as shops write them, as models and people read them."""

from __future__ import annotations

import html
import re

TAG = re.compile(r"</?[a-zA-Z][^>]*>|<!--.*?-->", re.DOTALL)  # not "sizes <8 and >12"


def plain_text(text: str) -> str:
    """Return a text without HTML: entities unescaped, tags dropped, and the blanks that they leave joined."""
    if "<" not in text and "&" not in text:
        return text
    plain = TAG.sub(" ", html.unescape(text))
    return text if plain == text else " ".join(plain.split())
