"""What is measured of each text, always against the true packet, whatever the model was shown.

The measures use the linker that verification uses, so that an arm with verification is right by construction as far as
the linker sees; how far that is, its own error rates say (`mmrec.explain.evaluation.linker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmrec.explain.linking.known import Known
from mmrec.explain.linking.mentions import Label
from mmrec.explain.linking.vocabulary import forms_of
from mmrec.explain.linking.words import Key, normal_form, occurs
from mmrec.explain.packet import Packet
from mmrec.explain.verify import Verdict, Verifier


@dataclass(frozen=True)
class Measures:
    """Of one text. A failure, an empty text, counts as one mention that is off the packet and names nothing.

    Args:
        mentions: things it names, cited titles included.
        supported: of these, stated by the packet.
        contradictions: of these, of which the packet states another value.
        anchors: what a good text names: the title, and the facts the item shares with the history.
        named: of these, named.
        words: length.
        failed: there is no text.
        clean: there is a text, and verification finds nothing against it.
    """

    mentions: int
    supported: int
    contradictions: int
    anchors: int
    named: int
    words: int
    failed: bool
    clean: bool

    @property
    def off_packet(self) -> int:
        """Mentions that the packet does not have."""
        return self.mentions - self.supported - self.contradictions


def measure(text: str, cited: Sequence[str], packet: Packet, verifier: Verifier) -> Measures:
    """Measure one text."""
    anchors = anchor_forms(packet, Known(packet, verifier.vocabulary.generic))
    if not text:
        return Measures(1, 0, 0, len(anchors), 0, 0, True, False)
    verdict: Verdict = verifier(text, packet, cited)
    labels = [mention.label for mention in verdict.mentions]
    keys = normal_form(text)
    return Measures(
        mentions=len(labels),
        supported=labels.count(Label.SUPPORTED),
        contradictions=labels.count(Label.CONTRADICTION),
        anchors=len(anchors),
        named=sum(any(occurs(form, keys) for form in forms) for forms in anchors),
        words=len(keys),
        failed=False,
        clean=verdict.ok,
    )


def anchor_forms(packet: Packet, known: Known) -> list[set[Key]]:
    """Return the ways to write each anchor: the title and every fact shared with the history."""
    shared = {(name, value) for item in packet.history for name, values in item.shared.items() for value in values}
    return [known.own_titles, *(forms_of(value) for _, value in sorted(shared))]


def distinct(texts: Sequence[str], n: int) -> float:
    """Return distinct-n: different n-grams of words over all n-grams, all texts together (Li et al., 2016)."""
    grams = [tuple(keys[i : i + n]) for keys in map(normal_form, texts) for i in range(len(keys) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def unique_sentences(texts: Sequence[str]) -> float:
    """Return the unique sentence ratio: different texts over texts (Li et al., 2020)."""
    there = [" ".join(normal_form(text)) for text in texts if text]
    return len(set(there)) / len(there) if there else 0.0
