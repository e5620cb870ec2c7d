"""Grounded writing: a language model chooses and orders statements, the grammar writes them.

The answer's JSON schema lists the ids of the statements, so that a server which decodes by it (Ollama's `format`,
llama.cpp's grammar) can produce nothing else. What the model can say is what is known, whatever the model is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from mmrec.explain.llm.base import FailureKind, LLMFailure
from mmrec.explain.statements import Evidence, Kind, Statement
from mmrec.explain.writing.plan import MOST, TONES, Plan, Tone, links

MOST_CHOICES = 8
"""Statements among which a model chooses; the most telling ones."""
_REASONS = frozenset({Kind.SHARED, Kind.SHARED_IMAGE, Kind.KEYWORD, Kind.NEIGHBOUR, Kind.INFLUENCE, Kind.ATTRIBUTE})
_TELLING = 0.05
"""A statement that tells less is not offered: it would hold of most items."""


def choices(evidence: Evidence) -> list[Statement]:
    """Return the statements that a plan may be made of: reasons, or the history where there are none.

    That history items count most is offered only if nothing is known that they share with the recommended item.
    """
    reasons = [s for s in evidence.statements if s.kind in _REASONS and s.telling >= _TELLING]
    reasons = [s for s in reasons if s.kind is not Kind.INFLUENCE or not any(links(t, evidence) for t in s.titles)]
    reasons = reasons[:MOST_CHOICES]
    return reasons or list(evidence.statements[:MOST_CHOICES])


def plan_schema(statements: Sequence[Statement]) -> dict[str, object]:
    """Return the JSON schema of a plan over some statements."""
    ids = [statement.id for statement in statements]
    reasons = {"type": "array", "items": {"type": "string", "enum": ids}, "minItems": 1, "maxItems": MOST}
    return {
        "type": "object",
        "properties": {"reasons": reasons, "tone": {"type": "string", "enum": list(TONES)}},
        "required": ["reasons", "tone"],
        "additionalProperties": False,
    }


def parse_plan(content: Mapping[str, object], statements: Sequence[Statement]) -> Plan:
    """Read a plan from a model's answer; a statement that is named twice counts once.

    Raises:
        LLMFailure: the answer does not have the form of the schema or names a statement that was not offered.
    """
    reasons, tone = content.get("reasons"), content.get("tone", "plain")
    if not isinstance(reasons, list) or not reasons or not all(isinstance(name, str) for name in reasons):
        raise LLMFailure(FailureKind.SCHEMA, "wrong schema: needs reasons (list of statement ids) and tone")
    known = {statement.id for statement in statements}
    if unknown := [name for name in reasons if name not in known]:
        raise LLMFailure(FailureKind.SCHEMA, f"wrong schema: {unknown[0]!r} is not the id of a statement")
    if tone not in TONES:
        raise LLMFailure(FailureKind.SCHEMA, f"wrong schema: the tone {tone!r} is not one of {', '.join(TONES)}")
    return Plan(tuple(dict.fromkeys(reasons))[:MOST], cast(Tone, tone))
