"""Texts as shops write them, as models and people read them."""

from __future__ import annotations

import html
import re

NAMES = (
    "a|abbr|article|aside|b|big|blockquote|body|br|button|caption|center|cite|code|col|dd|del|details|div|dl|dt|em|figure|"
    "figcaption|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|ol|option|"
    "p|picture|pre|q|s|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|"
    "tfoot|th|thead|title|tr|u|ul|video"
)
TAG = re.compile(rf"</?(?:{NAMES})(?:\s[^<>]*)?/?>|<!--.*?-->", re.DOTALL | re.IGNORECASE)  # not "x <y and z>"


def plain_text(text: str) -> str:
    """Return a text without HTML: entities unescaped, tags dropped, and the blanks that they leave joined."""
    if "<" not in text and "&" not in text:
        return text
    plain = TAG.sub(" ", html.unescape(text))
    return text if plain == text else " ".join(plain.split())
