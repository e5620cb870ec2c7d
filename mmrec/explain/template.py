"""An explanation from facts alone, for when no language model gives one that holds.

It names only what the packet holds, so that it always passes `verify`, and where it has no reason it says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from mmrec.explain.llm import Reply
from mmrec.explain.packet import Packet

_APOSTROPHE = re.compile(r"(?<![A-Za-z])['’]|['’](?![A-Za-z])")
_QUOTES = frozenset('"“”„«»‘「」『』《》')


def from_facts(packet: Packet) -> Reply:
    """Explain a recommendation by the facts it shares with the history, its neighbours and its picture."""
    title = _quote(packet.title)
    shared = _shared(packet)[:3]
    sentences = []
    if shared:
        reasons: dict[str, list[str]] = {}
        for name, value, titles in shared:
            reasons.setdefault(_titles(titles), []).append(f"{_plain(name)} {_plain(value)}")
        listed = "; ".join(f"{_join(facts)} with {titles}" for titles, facts in reasons.items())
        sentences.append(f"{title} is recommended because it shares {listed}.")
    elif packet.history:
        sentences.append(f"{title} is recommended from the history as a whole; no recorded fact of it is shared there.")
    else:
        sentences.append(f"{title} is recommended without any history to compare it with.")
    if packet.neighbours:
        sentences.append(f"The model places it near {_titles(packet.neighbours)}.")
    if not shared and packet.facts:
        facts = [f"{_plain(name)} {_plain(values[0])}" for name, values in packet.facts.items()]
        sentences.append(f"Its facts include {_join(facts[:3])}.")
    if packet.visual:
        sentences.append(f"Its picture shows {_join([_plain(word) for word in packet.visual])}.")
    cited = [title for _, _, titles in shared for title in titles[-3:]] + packet.neighbours[-3:]
    return Reply(" ".join(sentences), tuple(dict.fromkeys(cited)))


def _shared(packet: Packet) -> list[tuple[str, str, list[str]]]:
    """Return (fact name, value, titles of the history that share it), those of most titles first."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in packet.history:
        for name, values in item.shared.items():
            for value in values:
                found.setdefault((name, value), []).append(item.title)
    return sorted(((name, value, titles) for (name, value), titles in found.items()), key=lambda f: -len(f[2]))


def _titles(titles: Sequence[str]) -> str:
    """Name the three most recent titles."""
    return _join([_quote(title) for title in titles[-3:]])


def _quote(title: str) -> str:
    return f"“{_plain(title)}”"


def _plain(text: str) -> str:
    """Turn quotation marks inside a string into primes, so that those around it are the only ones."""
    marked = ("′" if _QUOTES & set(unicodedata.normalize("NFKC", c)) else c for c in text)
    return _APOSTROPHE.sub("′", "".join(marked))


def _join(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
