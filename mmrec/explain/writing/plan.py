"""A plan: which statements an explanation is made of, in which order and tone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mmrec.explain.facts import kind_of
from mmrec.explain.statements import Evidence, Kind, Statement

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
    for statement in sorted(evidence.statements, key=lambda s: s.kind is Kind.KEYWORD):  # words are the last resort
        if statement.kind in _REASONS and statement.telling > 0 and not _repeats(statement, reasons):
            reasons.append(statement)
    best = [s for s in reasons if s.telling >= LEAST_SHARE * reasons[0].telling][:MOST]
    if best and any(s.kind is not Kind.NEIGHBOUR for s in best):
        return Plan(tuple(s.id for s in _with_influence(best, evidence)))
    history = [s for s in evidence.statements if s.kind is Kind.HISTORY]
    own = [s for s in evidence.statements if s.kind is Kind.ATTRIBUTE and s.telling > 0]
    own.sort(key=lambda s: kind_of(s.name) in ("price", "year", "size"))  # they say least of what the item is
    return Plan(tuple(s.id for s in (*(best or history[:2]), *own[:2])))


def _with_influence(reasons: list[Statement], evidence: Evidence) -> list[Statement]:
    """Return the reasons with the most influential history item, in place of a third reason, if none names it."""
    influence = next((s for s in evidence.statements if s.kind is Kind.INFLUENCE), None)
    if influence is None or any(influence.titles[0] in reason.titles[:NAMED] for reason in reasons):
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
    return any(kind_of(s.name) == kind and not (mergeable and s.titles == statement.titles) for s in earlier)
