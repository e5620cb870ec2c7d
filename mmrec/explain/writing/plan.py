"""A plan: which statements an explanation is made of, in which order and tone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mmrec.explain.facts import kind_of
from mmrec.explain.statements import SLIGHT, Evidence, Kind, Statement

Tone = Literal["plain", "warm"]
TONES: tuple[str, ...] = get_args(Tone)
MOST = 3
"""Statements of a plan; more reasons are a list, not an explanation."""
NAMED = 2
"""History items of a statement that the grammar names; the others are counted."""
LEAST_SHARE = 0.2
"""A further reason must tell at least this share of what the first one tells."""
_REASONS = (Kind.SHARED, Kind.SHARED_IMAGE, Kind.KEYWORD, Kind.NEIGHBOUR)


@dataclass(frozen=True)
class Plan:
    """What an explanation says.

    Args:
        statements: ids of the statements, in order.
        tone: "plain", or "warm" with a friendly opening.
    """

    statements: tuple[str, ...]
    tone: Tone = "plain"


def default_plan(evidence: Evidence) -> Plan:
    """Return the plan of the most telling reasons, the one that is used without a language model."""
    reasons: list[Statement] = []
    for statement in sorted(evidence.statements, key=_is_slight):
        if statement.kind in _REASONS and statement.telling > 0 and not _repeats(statement, reasons):
            reasons.append(statement)
    best = _few([s for s in reasons if s.telling >= LEAST_SHARE * reasons[0].telling])
    if best and any(s.kind is not Kind.NEIGHBOUR for s in best):
        return Plan(tuple(s.id for s in _with_influence(best, evidence)))
    history = [s for s in evidence.statements if s.kind is Kind.HISTORY]
    own = [s for s in evidence.statements if s.kind is Kind.ATTRIBUTE and s.telling > 0]
    own.sort(key=lambda s: kind_of(s.name) in ("price", "year", "size"))  # they say least of what the item is
    return Plan(tuple(s.id for s in (*(best or history[:2]), *own[:2])))


def influential(evidence: Evidence) -> tuple[str, ...]:
    """Return the titles of the history items that count most."""
    return next((s.titles for s in evidence.statements if s.kind is Kind.INFLUENCE), ())


def named_of(titles: Sequence[str], influence: Sequence[str]) -> list[str]:
    """Return the titles that are named: the first ones, and one more if it is among those that count most."""
    return [title for place, title in enumerate(titles[: NAMED + 1]) if place < NAMED or title in influence]


def joins(first: Statement, second: Statement) -> bool:
    """Return whether two facts are said together of the items that have both: one that counts most for each does."""
    if first.kind is not Kind.SHARED or second.kind is not Kind.SHARED:
        return False
    return set(first.titles[:NAMED]) & set(second.titles[:NAMED]) > set() and first.titles[0] in second.titles


def _few(reasons: Sequence[Statement]) -> list[Statement]:
    """Return the first two reasons, and a third one if it is said together with one of them."""
    best = [s for s in reasons if s is reasons[0] or not _is_slight(s) or joins(reasons[0], s)]
    return best[:2] + [s for s in best[2:] if any(joins(r, s) for r in best[:2])][:1]


def _is_slight(statement: Statement) -> bool:
    """Return whether a reason convinces nobody when another one is there: a word, a year, a size."""
    return statement.kind is Kind.KEYWORD or kind_of(statement.name) in SLIGHT


def _with_influence(reasons: list[Statement], evidence: Evidence) -> list[Statement]:
    """Return the reasons with the most influential history items, in place of a third one, if they do not name all."""
    influence = next((s for s in evidence.statements if s.kind is Kind.INFLUENCE), None)
    named = {title for reason in reasons for title in named_of(reason.titles, influential(evidence))}
    if influence is None or named.issuperset(influence.titles):
        return reasons
    return [*reasons[: MOST - 1], influence]


def _repeats(statement: Statement, earlier: Sequence[Statement]) -> bool:
    """Return whether an earlier reason says the same, or makes this one superfluous."""
    if statement.kind is Kind.NEIGHBOUR:
        return any(set(statement.titles) & set(s.titles) for s in earlier)
    if statement.kind is Kind.KEYWORD:
        return bool(earlier)
    kind = kind_of(statement.name)
    mergeable = kind in ("genre", "actor")
    return any(kind_of(s.name) == kind and not (mergeable and joins(s, statement)) for s in earlier)
