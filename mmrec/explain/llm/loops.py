"""Loops: a small model that repeats itself until its limit."""

from __future__ import annotations

import re
from collections import Counter

_LOOP_WORDS = 8
"""So many words in the same order three times are a loop; titles and phrases that may well recur are shorter."""


def loop_of(text: str) -> str | None:
    """Return in words how a text repeats itself, or None."""
    words = text.split()
    if len(words) > 40 and len(set(words)) < 0.3 * len(words):
        return f"{len(words)} words, {len(set(words))} different"
    runs = zip(*(words[i:] for i in range(_LOOP_WORDS)), strict=False)
    parts = Counter(re.split(r"(?<=[.!?…])\s+", text)) + Counter(" ".join(run) for run in runs)
    part, times = parts.most_common(1)[0]
    return f"{part[:60]!r} {times} times" if times >= 3 else None
