"""Writing one explanation: ask, check, ask again with what was wrong, keep what holds, fall back to the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmrec.explain.asker import Asker
from mmrec.explain.llm import LLMFailure
from mmrec.explain.names import shown_title
from mmrec.explain.outcome import Draft, Explanation, Source
from mmrec.explain.packet import Packet
from mmrec.explain.similarity import Similarity
from mmrec.explain.statements import Evidence
from mmrec.explain.verify import Verifier
from mmrec.explain.writing.free import TEXT_SCHEMA, kept_sentences, parse_text
from mmrec.explain.writing.grammar import Sentence, write
from mmrec.explain.writing.grounded import choices, parse_plan, plan_schema
from mmrec.explain.writing.plan import default_plan
from mmrec.explain.writing.prompt import Prompt, with_violations

Way = Literal["grounded", "free"]
UNVERIFIED = "unverified"


@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How explanations are written.

    Args:
        way: "grounded": the model chooses statements and the grammar writes; "free": the model writes and what does not
            hold is removed.
        corrections: number of times a free text that does not hold is asked for again.
        verified: reject free texts that do not hold; False takes every text as it is, for measurements.
        fallback: let the grammar write where the model gives nothing; False leaves the text empty, for measurements.
        least_similarity: free texts with a smaller cosine to the user's interest are rejected; None rejects none.
    """

    way: Way = "grounded"
    corrections: int = 1
    verified: bool = True
    fallback: bool = True
    least_similarity: float | None = None


@dataclass(frozen=True)
class Question:
    """What is to be explained.

    Args:
        packet: the evidence packet.
        evidence: its statements.
        interest: (D,) u of the user.
        images: images for a model that can see.
        shown: statements and packet that the model is shown instead of the true ones, for measurements.
    """

    packet: Packet
    evidence: Evidence
    interest: NDArray[np.float32] | None = None
    images: Sequence[Path] = ()
    shown: tuple[Packet, Evidence] | None = None


class Writer:
    """Writes explanations.

    Args:
        asker: the language model of this run.
        prompt: the prompt template.
        options: how explanations are written.
        similarity: compares a text with the user's interest; None to leave it out.
    """

    def __init__(
        self, asker: Asker, prompt: Prompt, options: WritingOptions, similarity: Similarity | None = None
    ) -> None:
        self._asker = asker
        self._prompt = prompt
        self._options = options
        self._similarity = similarity

    def prompt_for(self, question: Question) -> str:
        """Return what the model is asked."""
        packet, evidence = question.shown or (question.packet, question.evidence)
        if self._options.way == "grounded":
            offered = choices(evidence)
            return self._prompt.render(packet, offered, plan_schema(offered))
        return self._prompt.render(packet, evidence.statements[:12], TEXT_SCHEMA)

    def write(self, question: Question) -> Explanation:
        """Return an explanation, whatever the model does."""
        written = self._grounded(question) if self._options.way == "grounded" else self._free(question)
        cited = tuple(dict.fromkeys(t for s in written.sentences for t in _titles(s, question.evidence)))
        return replace(written, cited_history=cited, similarity=self._near(written.text, question))

    def _grounded(self, question: Question) -> Explanation:
        evidence = question.evidence
        offered = choices(evidence)
        if not offered:
            return self._from_facts(question, "no evidence", "nothing is known of the item and the user")
        try:
            reply = self._asker.ask(self.prompt_for(question), plan_schema(offered), question.images)
        except LLMFailure as failure:
            return self._from_facts(question, failure.kind, str(failure), seconds=failure.seconds)
        try:
            plan = parse_plan(reply.content, offered)
        except LLMFailure as failure:
            draft = Draft(str(dict(reply.content)), [str(failure)])
            return self._from_facts(question, failure.kind, str(failure), [draft], reply.seconds)
        return Explanation(tuple(write(plan, evidence)), "llm", cached=reply.cached, model_seconds=reply.seconds)

    def _free(self, question: Question) -> Explanation:
        verifier = Verifier(question.evidence)
        prompt = self.prompt_for(question)
        asked = prompt
        drafts: list[Draft] = []
        kept: list[Sentence] = []
        cause: str | None = None
        reason: str | None = None
        seconds = 0.0
        for _ in range(1 + self._options.corrections):
            try:
                reply = self._asker.ask(asked, TEXT_SCHEMA, question.images)
                seconds += reply.seconds
                text = parse_text(reply.content)
            except LLMFailure as failure:
                reason = f"{reason}; asked again: {failure}" if reason else str(failure)
                cause = cause or failure.kind
                seconds += failure.seconds
                break
            verdict = verifier(text)
            violations = verdict.violations if self._options.verified else []
            violations += self._far(text, question)
            if not violations:
                source: Source = "corrected" if drafts else "llm"
                sentences = kept_sentences(verdict, verifier) if self._options.verified else [Sentence(text)]
                return Explanation(tuple(sentences), source, (), cause, reason, tuple(drafts), reply.cached, seconds)
            drafts.append(Draft(text, violations))
            kept = max(kept, kept_sentences(verdict, verifier), key=len)
            cause, reason = UNVERIFIED, f"unverified: {'; '.join(violations)}"
            asked = with_violations(prompt, text, violations)
        if kept and not self._far(" ".join(s.text for s in kept), question):
            return Explanation(tuple(kept), "corrected", (), cause, reason, tuple(drafts), model_seconds=seconds)
        return self._from_facts(question, cause, reason, drafts, seconds)

    def _from_facts(
        self, question: Question, cause: str | None, reason: str | None, drafts: Sequence[Draft] = (),
        seconds: float = 0.0,
    ) -> Explanation:  # fmt: skip
        evidence = question.evidence
        sentences = write(default_plan(evidence), evidence) if self._options.fallback else []
        source: Source = "facts" if sentences else "none"
        return Explanation(tuple(sentences), source, (), cause, reason, tuple(drafts), model_seconds=seconds)

    def _far(self, text: str, question: Question) -> list[str]:
        """Return what is wrong with the similarity of a text, perhaps nothing."""
        near, least = self._near(text, question), self._options.least_similarity
        if near is None or least is None or near >= least:
            return []
        return [f"it has little to do with the user's taste (similarity {near:.2f}, at least {least:.2f})"]

    def _near(self, text: str, question: Question) -> float | None:
        if self._similarity is None or question.interest is None or not text:
            return None
        return round(self._similarity(text, question.interest), 4)


def _titles(sentence: Sentence, evidence: Evidence) -> list[str]:
    """Return the history titles that a sentence names: those of its statements whose shown title is in its text."""
    titles = [title for name in sentence.statements for title in evidence.by_id(name).titles]
    plain = sentence.text.casefold()
    return [t for t in titles if shown_title(t).casefold() in plain or t.casefold() in plain]
