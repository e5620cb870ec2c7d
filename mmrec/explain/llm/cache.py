"""Replies kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from mmrec.explain.llm.base import LLM, LLMFailure, Reply
from mmrec.explain.llm.reply import parse_reply


class CachedLLM:
    """Keeps the valid replies of a model on disk, one file per content hash of digest, settings, prompt and images.

    A run that was broken off goes on from there, and a repeated one costs nothing. Failures are not kept. Threads and
    processes may share a folder: a reply is written beside its place and renamed into it. A folder that cannot be
    written to costs the cache, not the reply.

    Args:
        llm: the model to ask on a miss.
        folder: where the replies are kept; made when the first one is.
    """

    def __init__(self, llm: LLM, folder: Path) -> None:
        self._llm = llm
        self._folder = folder
        self._digest: str | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._llm.name

    @property
    def settings(self) -> dict[str, object]:
        """Settings of the model."""
        return self._llm.settings

    @property
    def concurrency(self) -> int:
        """How many questions the model works on at the same time."""
        return self._llm.concurrency

    def digest(self) -> str:
        """Return the model's digest, asked for once. Raises LLMFailure."""
        with self._lock:
            if self._digest is None:
                self._digest = self._llm.digest()
            return self._digest

    def generate(self, prompt: str, images: Sequence[Path] = ()) -> Reply:
        """Answer from the cache or, on a miss, by the model. Raises LLMFailure."""
        seen = [_hash_of(image) for image in images]
        key = json.dumps([self.name, self.digest(), self.settings, prompt, seen], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()}.json"
        with contextlib.suppress(OSError, ValueError, LLMFailure):  # absent or damaged: ask again
            kept = parse_reply(path.read_text(encoding="utf-8"))
            return Reply(kept.explanation, kept.cited_history, cached=True)
        reply = self._llm.generate(prompt, images)
        with contextlib.suppress(OSError):
            self._keep(reply, path)
        return reply

    def _keep(self, reply: Reply, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"explanation": reply.explanation, "cited_history": list(reply.cited_history)})
        number, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=self._folder)
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)


def _hash_of(image: Path) -> str | None:
    """Return the SHA-256 of a file, or None if it cannot be read: the model will not see it either."""
    try:
        return hashlib.sha256(image.read_bytes()).hexdigest()
    except OSError:
        return None
