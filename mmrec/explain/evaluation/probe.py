"""The verifier's own rates on a catalogue: true texts must pass, texts about other recommendations must not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmrec.explain.statements import Evidence
from mmrec.explain.verify import Verifier
from mmrec.explain.writing.grammar import write
from mmrec.explain.writing.plan import default_plan


@dataclass(frozen=True)
class Rates:
    """How a verifier judged the grammar's texts.

    Args:
        own: texts judged by their own statements.
        accepted: number of these that were accepted.
        others: texts judged by the statements of another pair.
        caught: number of these that were rejected. Two users with the same reasons make this less than all.
    """

    own: int
    accepted: int
    others: int
    caught: int


def verifier_rates(evidence: Sequence[Evidence]) -> Rates:
    """Return the rates over the pairs of a sample; the other pair is the next one."""
    texts = [" ".join(s.text for s in write(default_plan(e), e)) for e in evidence]
    verifiers = [Verifier(e) for e in evidence]
    own = [verifier(text).ok for verifier, text in zip(verifiers, texts, strict=True)]
    shifted = [*texts[1:], *texts[:1]]
    others = [verifier(text).ok for verifier, text in zip(verifiers, shifted, strict=True)]
    return Rates(len(own), sum(own), len(others), len(others) - sum(others))
