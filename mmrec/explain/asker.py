"""Asking a language model during one run: the cache before it, and an end to asking when the server is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from mmrec.explain.llm import LLM, CachedLLM, LLMFailure, Reply

MAX_LOST = 3
"""After so many failed connections in a row the server is taken for lost and not asked any more."""
NO_MODEL_GIVEN = "no model given"
SERVER_LOST = "server lost"


class NoReply(Exception):
    """There is no reply to a prompt: `cause` in few words, `str()` in full, `seconds` of the model's time."""

    def __init__(self, cause: str, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.cause = cause
        self.seconds = seconds


class Asker:
    """Asks the model, from several threads at once, and stops asking when it is not there or was lost.

    Args:
        llm: the model; None for none.
        cache: folder of the replies; None for no cache.
    """

    def __init__(self, llm: LLM | None, cache: Path | None) -> None:
        self._llm = CachedLLM(llm, cache) if llm and cache else llm
        self.name = llm.name if llm else None
        self.concurrency = llm.concurrency if llm else 1
        self.digest: str | None = None
        self._given_up: tuple[str, str] | None = None
        self._failures = 0
        self._lock = threading.Lock()
        if self._llm is None:
            self._given_up = NO_MODEL_GIVEN, "no language model was given"
            return
        try:
            self.digest = self._llm.digest()
        except LLMFailure as failure:
            self._given_up = failure.kind, str(failure)

    @property
    def given_up(self) -> str | None:
        """Why the model is not asked, None if it is."""
        return self._given_up[1] if self._given_up else None

    def ask(self, prompt: str, images: Sequence[Path] = ()) -> Reply:
        """Return the model's reply. Raises NoReply."""
        if self._given_up:
            raise NoReply(*self._given_up)
        assert self._llm is not None  # given up from the start otherwise
        try:
            reply = self._llm.generate(prompt, images)
        except LLMFailure as failure:
            with self._lock:
                self._failures = self._failures + 1 if failure.is_connection else 0
                if self._failures >= MAX_LOST:
                    self._given_up = SERVER_LOST, f"server lost: {MAX_LOST} failures in a row, last {failure}"
            raise NoReply(failure.kind, str(failure), failure.seconds) from None
        with self._lock:
            self._failures = 0
        return reply
