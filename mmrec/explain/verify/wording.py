"""The phrases of `phrases.txt`: lists, tables and templates by section."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PHRASES_FILE = Path(__file__).with_name("phrases.txt")
_PART = re.compile(r"\[([^\]]*)\]|\(([^)]*)\)|\{(\w+)\}|(\S+)")
_NAME = re.compile(r"\[[^\[\]|{}]*\]")
Part = tuple[str, bool]
"""A pattern of words and False, or the name of a rule and True."""


@cache
def phrases(section: str) -> str:
    """Return the phrases of a list as one pattern for `Matcher.words`."""
    return "|".join(phrase.strip() for line in _sections()[section] for phrase in line.split("|"))


@cache
def table(section: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the rows of a table: a pattern for `Matcher.words` and the names after the equality sign."""
    rows = (line.split("=") for line in _sections()[section])
    return tuple(("|".join(map(str.strip, left.split("|"))), tuple(right.split())) for left, right in rows)


@cache
def phrases_of(section: str, name: str) -> str:
    """Return the pattern of all rows of a table with a name, or with `*`; empty if there are none."""
    return "|".join(pattern for pattern, names in table(section) if name in names or "*" in names)


@cache
def with_adverbs(section: str) -> str:
    """Return the phrases of a list, with "also" and the like after a first word such as "is"."""
    found = phrases(section).split("|")
    for adverb in ("also", "both", "already", "all"):
        found += [re.sub(r"^(is|are|was|were|has|have)\b", rf"\1 {adverb}", phrase) for phrase in found[:]]
    return "|".join(dict.fromkeys(found))


@cache
def by_modalities(name: str) -> str:
    """Return "by its text and image" and the like as one pattern, for the modalities of a neighbour's statement."""
    return "|".join(f"{by} {said}" for by in phrases("by modalities").split("|") for said in phrases(name).split("|"))


@cache
def verbs_of_maker(kind: str) -> str:
    """Return the verbs between a maker of a kind and what was made, as one pattern; empty if there are none."""
    verbs = phrases_of("verbs of makers", kind)
    also = [f"{also} {verb}" for verb in verbs.split("|") for also in ("also", "has also", "have also")]
    also += [verb.replace(be, f"{be}also ", 1) for be in ("is ", "are ") for verb in verbs.split("|") if be in verb]
    return "|".join([verbs, *also]) if verbs else ""


@cache
def templates(section: str) -> tuple[tuple[Part, ...], ...]:
    """Return the templates of a section, each as patterns of words and names of rules."""
    return tuple(tuple(_parts(line)) for line in _sections()[section])


def _parts(template: str) -> list[Part]:
    found: list[Part] = []
    for optional, group, rule, words in _PART.findall(template):
        if rule or optional.startswith("{"):
            found.append((rule or optional.strip("{}") + "?", True))
        else:
            found.append((f"{optional}?" if optional else group or words, False))
    return found


@cache
def _sections() -> dict[str, list[str]]:
    """Return the lines of each section."""
    found: dict[str, list[str]] = {}
    for line in PHRASES_FILE.read_text(encoding="utf-8").splitlines():
        if _NAME.fullmatch(line):
            rows = found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            rows.append(line)
    return found
