"""The name that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return " (did you mean NAME?)" for the known name that is closest to a mistyped one, "" if none is close."""
    known = list(names)
    lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.7)
    return f" (did you mean {lower[found[0]]}?)" if found else ""
