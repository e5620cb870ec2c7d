"""Replies kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmrec.errors import UserError
from mmrec.explain.llm.base import LLM, FailureKind, LLMFailure, Reply
from mmrec.explain.llm.reply import cleaned
from mmrec.utils.files import write_whole

VERSION = 2  # raised when another reply is valid


class CachedLLM:
    """Keeps the replies of a model on disk, one file per hash of digest, settings, prompt, schema and images.

    A run that was broken off goes on from there, and a repeated one costs nothing. Bad answers are kept too, since they
    would come again; lost connections and the like are not. Threads and processes may share a folder: a reply is
    written under a temporary name and renamed. A folder that cannot be written to costs the cache, not the reply.

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

    def generate(self, prompt: str, schema: Mapping[str, object], images: Sequence[Path] = ()) -> Reply:
        """Answer from the cache or, on a miss, by the model. Raises LLMFailure."""
        seen = [_hash_of(image) for image in images]
        key = json.dumps([VERSION, self.name, self.digest(), self.settings, prompt, schema, seen], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()}.json"
        kept = _kept(path)
        if isinstance(kept, LLMFailure):
            raise kept
        if kept is not None:
            return kept
        start = time.monotonic()
        try:
            reply = replace(self._llm.generate(prompt, schema, images), seconds=time.monotonic() - start)
        except LLMFailure as failure:
            failure.seconds = time.monotonic() - start
            if failure.is_the_answer:
                self._keep({"failure": failure.kind, "reason": str(failure), "seconds": failure.seconds}, path)
            raise
        self._keep({"content": reply.content, "seconds": reply.seconds}, path)
        return reply

    def _keep(self, answer: Mapping[str, object], path: Path) -> None:
        with self._lock, contextlib.suppress(UserError):
            write_whole(path, json.dumps(answer))


def _kept(path: Path) -> Reply | LLMFailure | None:
    """Read what was kept; None where nothing was, or where it is damaged."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
        if "failure" in answer:
            return LLMFailure(FailureKind(answer["failure"]), str(answer["reason"]), float(answer["seconds"]))
        return Reply(cleaned(dict(answer["content"])), cached=True, seconds=float(answer["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _hash_of(image: Path) -> str | None:
    """Return the SHA-256 of a file, or None if it cannot be read: the model will not see it either."""
    try:
        return hashlib.sha256(image.read_bytes()).hexdigest()
    except OSError:
        return None
