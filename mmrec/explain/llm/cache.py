"""Replies kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mmrec.explain.llm.base import LLM, LLMFailure, Reply
from mmrec.explain.llm.reply import parse_reply


class CachedLLM:
    """Keeps the valid replies of a model on disk, one file per content hash of digest, settings and prompt.

    A run that was broken off goes on from there, and a repeated one costs nothing. Failures are not kept.

    Args:
        llm: the model to ask on a miss.
        folder: where the replies are kept; made when the first one is.
    """

    def __init__(self, llm: LLM, folder: Path) -> None:
        self._llm = llm
        self._folder = folder
        self._digest: str | None = None

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._llm.name

    @property
    def settings(self) -> dict[str, object]:
        """Settings of the model."""
        return self._llm.settings

    def digest(self) -> str:
        """Return the model's digest, asked for once. Raises LLMFailure."""
        if self._digest is None:
            self._digest = self._llm.digest()
        return self._digest

    @property
    def concurrency(self) -> int:
        """Of the model."""
        return self._llm.concurrency

    def generate(self, prompt: str, images: Sequence[Path] = ()) -> Reply:
        """Answer from the cache or, on a miss, by the model. Raises LLMFailure."""
        key = json.dumps([self.name, self.digest(), self.settings, prompt], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()}.json"
        with contextlib.suppress(OSError, ValueError, LLMFailure):  # absent or damaged: ask again
            kept = parse_reply(path.read_text(encoding="utf-8"))
            return Reply(kept.explanation, kept.cited_history, cached=True)
        reply = self._llm.generate(prompt, images)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._folder, delete=False) as file:
            json.dump({"explanation": reply.explanation, "cited_history": list(reply.cited_history)}, file)
        os.replace(file.name, path)
        return reply
