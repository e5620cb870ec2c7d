"""What comes out: one explanation with where it came from, and the counts of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mmrec.explain.writing.grammar import Sentence

Source = Literal["llm", "corrected", "facts", "none"]
"""Who wrote a text: the model's first answer, a later one or a part of one, the grammar alone, or nobody."""


@dataclass(frozen=True)
class Draft:
    """An answer of the model that was rejected: its text and what was wrong."""

    text: str
    violations: list[str]


@dataclass(frozen=True)
class Explanation:
    """The outcome for one recommendation.

    Args:
        sentences: sentences of the text, with their evidence; empty only where there is neither an answer nor a
            fallback.
        source: who wrote the text.
        cited_history: titles of the history that it rests on.
        cause: one of few words why it is not the model's first answer, for counting; None if it is.
        reason: the same in full.
        drafts: answers that were rejected.
        cached: whether the text came from the cache.
        model_seconds: seconds the model took for all its answers, those of the cache the first time.
        similarity: cosine of the text and the user's interest; None where it was not computed.
    """

    sentences: tuple[Sentence, ...]
    source: Source
    cited_history: tuple[str, ...] = ()
    cause: str | None = None
    reason: str | None = None
    drafts: tuple[Draft, ...] = ()
    cached: bool = False
    model_seconds: float = 0.0
    similarity: float | None = None

    @property
    def text(self) -> str:
        """The explanation."""
        return " ".join(sentence.text for sentence in self.sentences)


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Args:
        path: the file with the explanations.
        total: number of explanations.
        sources: explanations by source.
        causes: explanations by cause, for all that are not "llm".
        model: name of the language model, None without one.
        digest: hash of its weights.
        unreadable_images: items whose image could not be read.
        seconds: seconds the run took.
    """

    path: Path
    total: int
    sources: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    model: str | None = None
    digest: str | None = None
    unreadable_images: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return in a line who wrote the explanations and why."""
        sources = ", ".join(f"{count} by {WRITERS[source]}" for source, count in sorted(self.sources.items()))
        found = {cause: count for cause, count in sorted(self.causes.items()) if self.model}
        causes = "; ".join(f"{count} times {cause}" for cause, count in found.items())
        without = f". The language model's own answer was not used: {causes}" if causes else ""
        return f"{self.total} explanations written to {self.path}: {sources}{without}"


WRITERS = {
    "llm": "the language model", "corrected": "the language model after correction",
    "facts": "the grammar, without a language model", "none": "nobody",
}  # fmt: skip
"""Source to words."""
