"""Asking a language model during one run: from the cache first, and no longer when the server is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmrec.explain.llm import LLM, CachedLLM, FailureKind, LLMFailure, Reply

MAX_LOST = 3
"""Failed connections in a row after which the server counts as lost and is not asked any more."""


class Asker:
    """Asks the model, from several threads at once, and stops asking when it is not there or was lost.

    Args:
        llm: the model; None without one.
        cache: folder of the replies; None to keep none.
        again: seconds after which a model that was given up is asked again, for programs that run for long; None for
            never.
    """

    def __init__(self, llm: LLM | None, cache: Path | None, again: float | None = None) -> None:
        self._llm = CachedLLM(llm, cache) if llm and cache else llm
        self.name = llm.name if llm else None
        self.concurrency = llm.concurrency if llm else 1
        self.digest: str | None = None
        self._given_up: LLMFailure | None = None
        self._given_up_at = 0.0
        self._again = again
        self._failures = 0
        self._lock = threading.Lock()
        if self._llm is None:
            self._give_up(LLMFailure(FailureKind.NO_MODEL_GIVEN, "no language model was given"))
            return
        self._look(self._llm)

    @property
    def given_up(self) -> str | None:
        """Why the model is not asked, None if it is."""
        return str(self._given_up) if self._given_up else None

    def ask(self, prompt: str, schema: Mapping[str, object], images: Sequence[Path] = ()) -> Reply:
        """Return the model's reply. Raises LLMFailure."""
        self._look_again()
        if self._given_up:
            raise LLMFailure(self._given_up.kind, str(self._given_up))
        assert self._llm is not None  # given up from the start otherwise
        try:
            reply = self._llm.generate(prompt, schema, images)
        except LLMFailure as failure:
            with self._lock:
                self._failures = self._failures + 1 if failure.is_connection else 0
                if self._failures >= MAX_LOST:
                    reason = f"server lost: {MAX_LOST} failures in a row, last {failure}"
                    self._give_up(LLMFailure(FailureKind.SERVER_LOST, reason))
            raise
        with self._lock:
            self._failures = 0
        return reply

    def _look(self, llm: LLM) -> None:
        """Ask the model for its digest, and give it up if it does not answer."""
        try:
            self.digest = llm.digest()
        except LLMFailure as failure:
            self._give_up(failure)
        else:
            self._given_up, self._failures = None, 0

    def _look_again(self) -> None:
        """Look whether a model that was given up some time ago is there again; one thread does."""
        with self._lock:
            due = self._again is not None and time.monotonic() - self._given_up_at >= self._again
            if self._given_up is None or self._llm is None or not due:
                return
            self._given_up_at = time.monotonic()
        self._look(self._llm)

    def _give_up(self, failure: LLMFailure) -> None:
        self._given_up, self._given_up_at = failure, time.monotonic()
