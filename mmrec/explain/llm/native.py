"""How we use `xllamacpp`: finding it, loading a file, taking its answers and stopping it."""

from __future__ import annotations

import importlib
import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mmrec.errors import UserError
from mmrec.explain.llm.base import CONTEXT_TOKENS
from mmrec.explain.llm.loops import loop_of

BATCH_TOKENS = 512
"""Tokens of a prompt that are read between two looks at the clock."""
LOOK_EVERY = 16
"""Tokens between two looks for a loop."""
EXIT_SECONDS = 10.0
"""How long the end of the process waits for a loading to end or a decoding to stop."""
_HEADER = 64 << 20  # the metadata come before the weights; a vocabulary of 260,000 tokens takes up 10 MB


def start(xllamacpp: Any, file: Path, threads: int, folder: str) -> Any:
    """Load a GGUF file. Raises RuntimeError.

    The server listens, whether it is asked to or not: on a socket in `folder`, which must be this user's only, or where
    there are none on a port of this machine; requests need a random API key that is never exposed.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx = CONTEXT_TOKENS
    params.n_batch = BATCH_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = -1
    params.warmup = False
    params.ui = False
    params.api_keys = [secrets.token_urlsafe()]
    socket = os.path.join(folder, "llm.sock")
    if os.name == "posix" and len(socket) < 100:  # longest address of a Unix socket: 103 bytes on macOS
        params.hostnames = [socket]
    return xllamacpp.Server(params)


class Answer:
    """Collects the pieces of an answer, and tells the decoder when to stop."""

    def __init__(self, deadline: float, closing: threading.Event) -> None:
        self.deadline = deadline
        self.parts: list[str] = []
        self.end: str | None = None
        self.error: str | None = None
        self.loop: str | None = None
        self._closing = closing

    def take(self, chunk: Mapping[str, Any]) -> bool:
        """Take a piece; return whether to stop."""
        if error := chunk.get("error"):
            self.error = line(error.get("message", error) if isinstance(error, Mapping) else error)
            return True
        for choice in chunk.get("choices") or ():
            self.parts.append(choice.get("text") or (choice.get("delta") or {}).get("content") or "")
            self.end = choice.get("finish_reason") or self.end
        if len(self.parts) % LOOK_EVERY == 0:  # why write on to the bound what will be rejected?
            self.loop = loop_of("".join(self.parts).casefold())
        return bool(self.loop) or self._closing.is_set() or time.monotonic() >= self.deadline


def import_runtime() -> ModuleType:
    """Import `xllamacpp`. Raises UserError, which says how to install it."""
    try:
        return importlib.import_module("xllamacpp")  # here: only a run that uses it needs it
    except ImportError as error:
        raise UserError(f"LlamaCppLLM needs xllamacpp ({error}): pip install 'mmrec[llamacpp]'") from None


def has_template(file: Path) -> bool:
    """Say whether a GGUF file brings a chat template. Raises UserError if it is not a GGUF file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEADER)
    except OSError as error:
        raise UserError(f"model file {file} cannot be read: {error}") from None
    if not head.startswith(b"GGUF"):
        raise UserError(f"model file {file} is not a GGUF file")
    return b"tokenizer.chat_template" in head


def close(closing: threading.Event, loading: threading.Lock, decoding: threading.Lock, server: list[Any]) -> None:
    """Stop the decoding and end the server, whose thread would else compute on while the libraries under it go."""
    closing.set()
    deadline = time.monotonic() + EXIT_SECONDS
    for lock in (loading, decoding):
        lock.acquire(timeout=max(deadline - time.monotonic(), 0))
    server.clear()


def line(error: object) -> str:
    """Return an error's message on one line of bounded length."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
