"""What comes out: one explanation with where it came from, and the counts of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Draft:
    """A reply of the model that did not pass: its text and what was wrong."""

    text: str
    violations: list[str]


@dataclass(frozen=True)
class Explanation:
    """The outcome for one recommendation.

    Args:
        text: the explanation; empty only where there is neither a reply nor a fallback.
        cited_history: titles of the history it relies on.
        source: "llm", "corrected" (a later attempt of the model), "template" or "none".
        cause: one of few words why it is not the model's first reply, for counting; None if it is.
        reason: the same in full.
        drafts: replies that did not pass.
        cached: whether the text came from the cache.
        model_seconds: what the model took for all its replies, those of the cache the first time.
        likeness: cosine of the text and the user's interest; None where it was not looked at.
    """

    text: str
    cited_history: list[str]
    source: str
    cause: str | None = None
    reason: str | None = None
    drafts: list[Draft] = field(default_factory=list)
    cached: bool = False
    model_seconds: float = 0.0
    likeness: float | None = None


@dataclass(frozen=True)
class Summary:
    """What a run did. `sources` and `causes` count explanations; the causes cover all that are not "llm"."""

    path: Path
    total: int
    sources: dict[str, int]
    causes: dict[str, int]
    model: str | None
    digest: str | None
    unreadable_images: int
    seconds: float

    def __str__(self) -> str:
        """Say in a line who wrote the explanations and why."""
        sources = ", ".join(f"{count} by {source}" for source, count in sorted(self.sources.items()))
        causes = "; ".join(f"{cause} ({count})" for cause, count in sorted(self.causes.items()))
        return f"{self.total} explanations in {self.path}: {sources}{f' - {causes}' if causes else ''}"
