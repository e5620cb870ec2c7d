"""Writing one explanation: ask, verify, ask again with what was wrong, fall back to the template (section 3.5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmrec.explain.asker import Asker
from mmrec.explain.likeness import Likeness
from mmrec.explain.llm import LLMFailure
from mmrec.explain.outcome import Draft, Explanation
from mmrec.explain.packet import Packet
from mmrec.explain.prompt import with_violations
from mmrec.explain.template import from_facts
from mmrec.explain.verify import Verifier

UNVERIFIED = "unverified"


class Writer:
    """Writes explanations of packets.

    Args:
        asker: asks the model.
        verifier: judges a reply; None to take every reply as it is.
        corrections: how often a reply that does not hold is asked for again.
        fallback: end in the template; without it in an empty text.
        likeness: compares a text with the user's interest; None for not.
        least: replies with less likeness do not hold; None to record it only.
    """

    def __init__(
        self,
        asker: Asker,
        verifier: Verifier | None,
        corrections: int = 1,
        fallback: bool = True,
        likeness: Likeness | None = None,
        least: float | None = None,
    ) -> None:
        self._asker = asker
        self._verifier = verifier
        self._corrections = corrections
        self._fallback = fallback
        self._likeness = likeness
        self._least = least

    def write(
        self,
        packet: Packet,
        prompt: str,
        interest: NDArray[np.float32] | None = None,
        images: Sequence[Path] = (),
    ) -> Explanation:
        """Return the explanation of a packet, whatever the model does.

        Args:
            packet: what is true.
            prompt: what the model is asked.
            interest: (D,) u of the user.
            images: pictures for a model that can see.
        """
        written = self._write(packet, prompt, interest, images)
        return replace(written, likeness=self._near(written.text, interest))

    def _write(
        self, packet: Packet, prompt: str, interest: NDArray[np.float32] | None, images: Sequence[Path]
    ) -> Explanation:
        drafts: list[Draft] = []
        cause: str | None = None
        reason: str | None = None
        seconds = 0.0
        question = prompt
        for _ in range(1 + self._corrections):
            try:
                reply = self._asker.ask(question, images)
            except LLMFailure as failure:
                reason = f"{reason}; asked again: {failure}" if reason else str(failure)
                cause = cause or failure.kind
                seconds += failure.seconds
                break
            seconds += reply.seconds
            violations = self._violations(reply.explanation, packet, reply.cited_history, interest)
            if not violations:
                source = "corrected" if drafts else "llm"
                cited = list(reply.cited_history)
                return Explanation(reply.explanation, cited, source, cause, reason, drafts, reply.cached, seconds)
            drafts.append(Draft(reply.explanation, violations))
            cause, reason = UNVERIFIED, f"unverified: {'; '.join(violations)}"
            question = with_violations(prompt, reply.explanation, violations)
        if not self._fallback:
            return Explanation("", [], "none", cause, reason, drafts, model_seconds=seconds)
        last = from_facts(packet)
        return Explanation(
            last.explanation, list(last.cited_history), "template", cause, reason, drafts, model_seconds=seconds
        )

    def _violations(
        self, text: str, packet: Packet, cited: Sequence[str], interest: NDArray[np.float32] | None
    ) -> list[str]:
        if self._verifier is None:
            return []
        found = [str(violation) for violation in self._verifier(text, packet, cited).violations]
        near = self._near(text, interest)
        if near is not None and self._least is not None and near < self._least:
            found.append(f"it has little to do with the user's taste (likeness {near:.2f}, at least {self._least:.2f})")
        return found

    def _near(self, text: str, interest: NDArray[np.float32] | None) -> float | None:
        if self._likeness is None or interest is None or not text:
            return None
        return round(self._likeness(text, interest), 4)
