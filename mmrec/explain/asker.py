"""Asking a language model during one run: from the cache first, and no longer when the server is lost."""

from __future__ import annotations

import threading
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
    """

    def __init__(self, llm: LLM | None, cache: Path | None) -> None:
        self._llm = CachedLLM(llm, cache) if llm and cache else llm
        self.name = llm.name if llm else None
        self.concurrency = llm.concurrency if llm else 1
        self.digest: str | None = None
        self._given_up: LLMFailure | None = None
        self._failures = 0
        self._lock = threading.Lock()
        if self._llm is None:
            self._given_up = LLMFailure(FailureKind.NO_MODEL_GIVEN, "no language model was given")
            return
        try:
            self.digest = self._llm.digest()
        except LLMFailure as failure:
            self._given_up = failure

    @property
    def given_up(self) -> str | None:
        """Why the model is not asked, None if it is."""
        return str(self._given_up) if self._given_up else None

    def ask(self, prompt: str, schema: Mapping[str, object], images: Sequence[Path] = ()) -> Reply:
        """Return the model's reply. Raises LLMFailure."""
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
                    self._given_up = LLMFailure(FailureKind.SERVER_LOST, reason)
            raise
        with self._lock:
            self._failures = 0
        return reply
