"""Verification of an explanation against its evidence packet (paper, section 3.5.2).

Every mention must link to the packet (`mmrec.explain.linking`), there must be one at least, or the text would hold of
any item, and every cited title must be of the history. How near the text is to the user's interest, `Writer` looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmrec.explain.linking.known import Known, cited_known
from mmrec.explain.linking.mentions import Label, Mention, mentions
from mmrec.explain.linking.vocabulary import Vocabulary
from mmrec.explain.packet import Packet


@dataclass(frozen=True)
class Violation:
    """Something the text says that does not hold; `str()` says it in one line."""

    kind: str
    text: str
    label: Label = Label.OFF_PACKET
    stated: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "anchor":
            return "it names no fact of the item and no title"
        if self.kind == "cited":
            return f"cited {self.text} is not in the history"
        if self.label is Label.CONTRADICTION:
            stated = f" ({', '.join(self.stated)})" if self.stated else ""
            return f"{self.kind} {self.text} contradicts the facts{stated}"
        return f"{self.kind} {self.text} is not in the facts"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a verification.

    Args:
        violations: what does not hold, each once.
        mentions: everything the text names.
    """

    violations: tuple[Violation, ...] = ()
    mentions: tuple[Mention, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found against the text."""
        return not self.violations


class Verifier:
    """Judges explanations of one catalogue.

    Args:
        vocabulary: what the catalogue's facts may say; the common terms alone if None.
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self.vocabulary = vocabulary or Vocabulary([])

    def __call__(self, explanation: str, packet: Packet, cited_history: Sequence[str] = ()) -> Verdict:
        """Check that an explanation and the titles it cites say nothing that the packet does not."""
        known = Known(packet, self.vocabulary.generic)
        cited = [
            Mention("cited", text, Label.SUPPORTED if cited_known(text, packet) else Label.OFF_PACKET)
            for text in cited_history
        ]
        named = mentions(explanation, known, self.vocabulary)
        found = [*cited, *named]
        wrong = [Violation(m.kind, m.text, m.label, _stated(m, known)) for m in found if m.label is not Label.SUPPORTED]
        if not wrong and known.own_titles and not any(mention.linked for mention in named):
            wrong.append(Violation("anchor", explanation))
        return Verdict(tuple(dict.fromkeys(wrong)), tuple(found))


def _stated(mention: Mention, known: Known) -> tuple[str, ...]:
    """Return what the packet says instead, where the mention contradicts it."""
    # A name that is wrong by a part of it has no kind of its own.
    return tuple(known.values.get(mention.kind, [])[:3]) if mention.label is Label.CONTRADICTION else ()
