"""A plan: which statements an explanation is made of, in which order and tone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mmrec.explain.facts import kind_of
from mmrec.explain.statements import SLIGHT, TITLE_WORD, Evidence, Kind, Statement

Tone = Literal["plain", "warm"]
TONES: tuple[str, ...] = get_args(Tone)
MOST = 3
"""Statements of a plan; more reasons are a list, not an explanation."""
NAMED = 2
"""History items of a statement that the grammar names; how many others there are tells nothing of the item."""
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
    best = _reasons(evidence)
    if best and any(s.kind is not Kind.NEIGHBOUR for s in best):
        return Plan(tuple(s.id for s in _with_influence(best, evidence)))
    history = [s for s in evidence.statements if s.kind is Kind.HISTORY and evidence.history_read]
    own = [s for s in evidence.statements if s.kind is Kind.ATTRIBUTE and s.telling > 0]
    own.sort(key=lambda s: kind_of(s.name) in ("price", "year", "size"))  # they say least of what the item is
    return Plan(tuple(s.id for s in (*(best or history[:2]), *own[:2])))


def _reasons(evidence: Evidence) -> list[Statement]:
    """Return the most telling reasons; facts come before images, which come before slight ones."""
    offered = [s for s in evidence.statements if s.kind in _REASONS and s.telling > 0]
    least = LEAST_SHARE * max((s.telling for s in offered if not _is_slight(s)), default=0.0)
    reasons: list[Statement] = []
    for statement in sorted(offered, key=_place):
        if statement.telling >= least and not _repeats(statement, reasons):
            reasons.append(statement)
    return _few(reasons)


def influential(evidence: Evidence) -> tuple[str, ...]:
    """Return the titles of the history items that count most."""
    return next((s.titles for s in evidence.statements if s.kind is Kind.INFLUENCE), ())


def links(title: str, evidence: Evidence) -> list[Statement]:
    """Return what the recommended item is known to share with a history item; a word that many have is nothing."""
    found = [s for s in evidence.statements if title in s.titles and s.kind in _REASONS and s.telling > 0]
    return [s for s in found if s.kind is not Kind.KEYWORD or s.count <= NAMED]


def named_of(titles: Sequence[str], evidence: Evidence) -> list[str]:
    """Return the titles that are named: the first ones, and one more if it is among those that count most."""
    influence = influential(evidence)
    return [title for place, title in enumerate(titles[: NAMED + 1]) if place < NAMED or title in influence]


def joins(first: Statement, second: Statement) -> bool:
    """Return whether two facts are said together of the items that have both: one that counts most for each does."""
    if first.kind is not Kind.SHARED or second.kind is not Kind.SHARED:
        return False
    return set(first.titles[:NAMED]) & set(second.titles[:NAMED]) > set() and first.titles[0] in second.titles


def joins_for(first: Statement, second: Statement, evidence: Evidence) -> bool:
    """Return whether two facts are said together, and no item that counts most loses its name by that."""
    lost = {*first.titles} ^ {*second.titles}
    return joins(first, second) and not lost & {*influential(evidence)}


def _few(reasons: Sequence[Statement]) -> list[Statement]:
    """Return the first two reasons, and a third one if it is said together with one of them."""
    best = [s for s in reasons if s is reasons[0] or not _is_slight(s) or joins(reasons[0], s)]
    return best[:2] + [s for s in best[2:] if any(joins(r, s) for r in best[:2])][:1]


def _is_slight(statement: Statement) -> bool:
    """Return whether a reason convinces nobody when another one is there: a word, a year, a size."""
    return (statement.kind is Kind.KEYWORD and statement.name != TITLE_WORD) or kind_of(statement.name) in SLIGHT


def _place(statement: Statement) -> int:
    """Return the place of a reason's sort: how sure a reader is to see what is meant."""
    if _is_slight(statement):
        return 2
    return 1 if statement.kind is Kind.SHARED_IMAGE else 0


def _with_influence(reasons: list[Statement], evidence: Evidence) -> list[Statement]:
    """Return the reasons, and what the item shares with the most influential history items that they do not name.

    That such an item counts most is said alone, and last, only if nothing is known that the two share.
    """
    influence = next((s for s in evidence.statements if s.kind is Kind.INFLUENCE), None)
    if influence is None:
        return reasons
    chosen = reasons[:]
    for title in influence.titles:
        if title not in _named(chosen, evidence):
            shared = [s for s in links(title, evidence) if s not in chosen]
            shared = [s for s in shared if title in named_of(s.titles, evidence)]
            link = min(shared, key=lambda s: (s.kind is Kind.NEIGHBOUR, _place(s)), default=influence)
            if link is not influence:
                chosen = [*chosen[: MOST - 1], link]
    unexplained = len(chosen) < MOST and not _named(chosen, evidence).issuperset(influence.titles)
    return [*chosen, influence] if unexplained else chosen


def _named(reasons: Sequence[Statement], evidence: Evidence) -> set[str]:
    """Return the history titles that the sentences of some reasons name."""
    titles: set[str] = set()
    for reason in reasons:
        joined = [other for other in reasons if other is not reason and joins_for(reason, other, evidence)]
        common = [title for title in reason.titles if all(title in other.titles for other in joined)]
        titles.update(reason.titles if reason.kind is Kind.INFLUENCE else named_of(common, evidence))
    return titles


def _repeats(statement: Statement, earlier: Sequence[Statement]) -> bool:
    """Return whether an earlier reason says the same, or makes this one superfluous."""
    if statement.kind is Kind.NEIGHBOUR:
        return any(set(statement.titles) & set(s.titles) for s in earlier)
    if statement.kind is Kind.KEYWORD:
        return any(statement.name != TITLE_WORD or s.titles != statement.titles for s in earlier)
    kind = kind_of(statement.name)
    mergeable = kind in ("genre", "actor")
    return any(kind_of(s.name) == kind and not (mergeable and joins(s, statement)) for s in earlier)
