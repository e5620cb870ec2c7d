"""From recommendations to checked explanations in a JSONL file (paper, section 3.5).

For each recommendation: evidence packet, prompt (eq. 17), reply of the language model, verification (3.5.2); a text
that does not hold is asked for again with its violations named, and the last resort is the template from facts. Every
row says where its text came from and why it is not the model's.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mmrec.errors import UserError
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import LLM, CachedLLM, LLMFailure, Reply
from mmrec.explain.packet import Packet, Recommendation, build_packet
from mmrec.explain.prompt import Prompt, with_violations
from mmrec.explain.template import from_facts
from mmrec.explain.verify import Verdict, Verifier

MAX_LOST = 3
"""After so many failed connections in a row the server is taken for lost and not asked any more."""
NO_MODEL_GIVEN = "no model given"
UNVERIFIED = "unverified"
SERVER_LOST = "server lost"


@dataclass(frozen=True)
class Draft:
    """A reply of the model that did not pass: its text and what was wrong."""

    text: str
    violations: list[str]


@dataclass(frozen=True)
class Explanation:
    """The outcome for one recommendation.

    Args:
        text: the explanation.
        cited_history: titles of the history it relies on.
        source: "llm", "corrected" (the model's second attempt) or "template".
        cause: one of few words why it is not the model's first reply, for counting; None if it is.
        reason: the same in full.
        drafts: replies that did not pass.
        cached: whether the text came from the cache.
    """

    text: str
    cited_history: list[str]
    source: str
    cause: str | None = None
    reason: str | None = None
    drafts: list[Draft] = field(default_factory=list)
    cached: bool = False


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


class ExplanationPipeline:
    """Explains recommendations.

    Args:
        knowledge: the dataset's facts.
        llm: who writes; None to write from facts only.
        prompt_file: a prompt template of the user's own, see `mmrec.explain.prompt`.
        history_length: most recent history items in a packet, at least 1.
        corrections: how often a reply that fails verification is asked for again.
        verifier: judges a reply.
        cache: keep replies in `llm_cache/` beside the output file and use those found there.

    Raises:
        UserError: if an option is out of range or the prompt file is wrong.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        llm: LLM | None = None,
        *,
        prompt_file: Path | None = None,
        history_length: int = 8,
        corrections: int = 1,
        verifier: Verifier | None = None,
        cache: bool = True,
    ) -> None:
        if history_length < 1 or corrections < 0:
            raise UserError(
                f"history_length={history_length}, corrections={corrections}: need at least 1 and at least 0"
            )
        self._knowledge = knowledge
        self._llm = llm
        self._prompt = Prompt(prompt_file)
        self._history_length = history_length
        self._corrections = corrections
        self._verifier = verifier or Verifier(knowledge.vocabulary)
        self._cache = cache

    def run(self, recommendations: Sequence[Recommendation], path: Path) -> Summary:
        """Explain each recommendation and write one JSON line for it.

        The file appears under its name when it is complete. The time is bounded by the model's own limit times
        (1 + corrections) for each recommendation.

        Raises:
            UserError: if an item is not in the dataset.
        """
        start = time.monotonic()
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        asker = _Asker(self._llm, path.parent / "llm_cache" if self._cache else None)
        sources: Counter[str] = Counter()
        causes: Counter[str] = Counter()
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        progress = track(
            recommendations, "explaining", console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
        )
        try:
            with temporary.open("w", encoding="utf-8") as file:
                for recommendation in progress:
                    row, outcome = self._explain(recommendation, asker)
                    file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                    sources[outcome.source] += 1
                    if outcome.cause:
                        causes[outcome.cause] += 1
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return Summary(
            path=path,
            total=len(recommendations),
            sources=dict(sources),
            causes=dict(causes),
            model=asker.name,
            digest=asker.digest,
            unreadable_images=len(self._knowledge.unreadable),
            seconds=time.monotonic() - start,
        )

    def _explain(self, recommendation: Recommendation, asker: _Asker) -> tuple[dict[str, object], Explanation]:
        """Return the JSON row of one recommendation and the outcome in it."""
        start = time.monotonic()
        packet = build_packet(recommendation, self._knowledge, self._history_length)
        prompt = self._prompt.render(packet)
        outcome = self._write(packet, prompt, asker)
        row: dict[str, object] = {
            "user": recommendation.user,
            "item": self._knowledge.raw_id(recommendation.item),
            "rank": recommendation.rank,
            "score": recommendation.score,
            **asdict(outcome),
            "model": asker.name,
            "digest": asker.digest,
            "seconds": round(time.monotonic() - start, 3),
            "packet": asdict(packet),
            "prompt": prompt,
        }
        return row, outcome

    def _write(self, packet: Packet, prompt: str, asker: _Asker) -> Explanation:
        """Ask, verify, ask again, and fall back to the template (section 3.5.2)."""
        drafts: list[Draft] = []
        cause = reason = None
        question = prompt
        for _ in range(1 + self._corrections):
            try:
                reply = asker.ask(question)
            except _NoReply as failure:
                reason = f"{reason}; asked again: {failure}" if reason else str(failure)
                cause = cause or failure.cause
                break
            verdict = self._verifier(reply.explanation, packet, reply.cited_history)
            if verdict.ok:
                source = "corrected" if drafts else "llm"
                cited = list(reply.cited_history)
                return Explanation(reply.explanation, cited, source, cause, reason, drafts, reply.cached)
            violations = [str(violation) for violation in verdict.violations]
            drafts.append(Draft(reply.explanation, violations))
            cause, reason = UNVERIFIED, f"unverified: {'; '.join(violations)}"
            question = with_violations(prompt, reply.explanation, violations)
        reply = from_facts(packet)
        return Explanation(reply.explanation, list(reply.cited_history), "template", cause, reason, drafts)


class _NoReply(Exception):
    """There is no reply to a prompt: `cause` in few words, `str()` in full."""

    def __init__(self, cause: str, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


class _Asker:
    """Asks the model during one run, and stops asking when it is not there or was lost."""

    def __init__(self, llm: LLM | None, cache: Path | None) -> None:
        self._llm = CachedLLM(llm, cache) if llm and cache else llm
        self.name = llm.name if llm else None
        self.digest: str | None = None
        self._given_up: tuple[str, str] | None = None
        self._failures = 0
        if self._llm is None:
            self._given_up = NO_MODEL_GIVEN, "no language model was given"
            return
        try:
            self.digest = self._llm.digest()
        except LLMFailure as failure:
            self._given_up = failure.kind, str(failure)

    def ask(self, prompt: str) -> Reply:
        """Return the model's reply. Raises _NoReply."""
        if self._given_up:
            raise _NoReply(*self._given_up)
        assert self._llm is not None  # given up from the start otherwise
        try:
            reply = self._llm.generate(prompt)
        except LLMFailure as failure:
            self._failures = self._failures + 1 if failure.is_connection else 0
            if self._failures >= MAX_LOST:
                self._given_up = SERVER_LOST, f"server lost: {MAX_LOST} failures in a row, last {failure}"
            raise _NoReply(failure.kind, str(failure)) from None
        self._failures = 0
        return reply
