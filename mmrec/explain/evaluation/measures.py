"""What is measured of the texts of an arm, always against the true packet, whatever the model was shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mmrec.explain.evaluation.judge import RuleJudge
from mmrec.explain.packet import Packet
from mmrec.explain.statements import Evidence
from mmrec.explain.verify import Verifier

_WORD = re.compile(r"[^\W_]+(?:[’'-][^\W_]+)*")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
_VOWELS = re.compile(r"[aeiouy]+")


@dataclass(frozen=True)
class Measures:
    """What is measured of one text. A failure, an empty text, counts as one unit that is not supported.

    Args:
        units: things that the text says, by the rule judge.
        supported: units that the packet has.
        anchors: facts shared with the history, and history items.
        named: anchors that the text names.
        sentences: number of sentences.
        entailed: sentences that the verifier accepts.
        history: history items in the packet.
        cited: history items that the text rests on.
        words: length in words.
        ease: Flesch reading ease; 60 to 70 is plain English.
        failed: whether the text is empty.
    """

    units: int
    supported: int
    anchors: int
    named: int
    sentences: int
    entailed: int
    history: int
    cited: int
    words: int
    ease: float
    failed: bool

    @property
    def clean(self) -> bool:
        """Whether there is a text in which the judge finds nothing wrong."""
        return not self.failed and self.supported == self.units


def measure(text: str, cited: Sequence[int], packet: Packet, evidence: Evidence, judge: RuleJudge) -> Measures:
    """Measure one text.

    Args:
        text: the explanation; empty for a failure.
        cited: history items that it rests on.
        packet: the true evidence packet.
        evidence: the true statements.
        judge: the rule judge of the catalogue.
    """
    found = judge(text, packet)
    if not text:
        return Measures(1, 0, found.shared, 0, 1, 0, len(packet.history), 0, 0, 0.0, True)
    verdict = Verifier(evidence)(text)
    return Measures(
        units=found.units,
        supported=found.supported,
        anchors=found.shared,
        named=found.named,
        sentences=len(verdict.sentences),
        entailed=sum(sentence.violation is None for sentence in verdict.sentences),
        history=len(packet.history),
        cited=min(len(cited), len(packet.history)),
        words=len(_WORD.findall(text)),
        ease=reading_ease(text),
        failed=False,
    )


def reading_ease(text: str) -> float:
    """Return the Flesch reading ease: 206.835 - 1.015 words per sentence - 84.6 syllables per word (Flesch, 1948)."""
    words = _WORD.findall(text)
    if not words:
        return 0.0
    sentences = max(len(_SENTENCE.findall(text)), 1)
    syllables = sum(_syllables(word) for word in words)
    return 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)


def _syllables(word: str) -> int:
    lower = word.lower()
    count = len(_VOWELS.findall(lower))
    return max(count - (lower.endswith("e") and not lower.endswith("le") and count > 1), 1)


def distinct(texts: Sequence[str], n: int) -> float:
    """Return distinct-n: different n-grams of words over all n-grams, all texts together (Li et al., 2016)."""
    grams = [
        tuple(words[i : i + n])
        for words in ([word.lower() for word in _WORD.findall(text)] for text in texts)
        for i in range(len(words) - n + 1)
    ]
    return len(set(grams)) / len(grams) if grams else 0.0


def same_text_share(texts: Sequence[str]) -> float:
    """Return the share of texts that another user gets too, word for word; empty texts do not count."""
    counts = Counter(text for text in texts if text)
    total = sum(counts.values())
    return sum(count for count in counts.values() if count > 1) / total if total else 0.0
