"""What a language model is for an explanation: the protocol, replies, typed failures.

Nothing raises anything but `LLMFailure` while a run is going on, and nothing waits longer than its time limit: an
explanation is a by-product, and a missing or broken server must cost a counted fallback, not the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

MAX_TOKENS = 400
"""Bound on a reply; three sentences and the cited titles need about a third of it."""
CONTEXT_TOKENS = 8192
"""Room for the largest packet; a server's default is smaller, and it drops what does not fit without a word."""


class FailureKind(StrEnum):
    """Why there is no usable reply."""

    NO_SERVER = "no server"
    NO_MODEL = "model not pulled"
    TIMEOUT = "timeout"
    CONNECTION = "connection lost"
    SERVER = "server error"
    INVALID_JSON = "invalid JSON"
    SCHEMA = "wrong schema"
    EMPTY = "empty text"
    TRUNCATED = "truncated"
    RUNAWAY = "runaway"


class LLMFailure(Exception):
    """A language model gave no usable reply; `str()` is the reason in one line."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    @property
    def is_connection(self) -> bool:
        """Whether the server as a whole, not this one reply, is in doubt."""
        return self.kind in {FailureKind.NO_SERVER, FailureKind.TIMEOUT, FailureKind.CONNECTION}


@dataclass(frozen=True)
class Reply:
    """A valid reply: the text, the history titles it says it relies on, and whether it came from the cache."""

    explanation: str
    cited_history: tuple[str, ...] = ()
    cached: bool = False


class LLM(Protocol):
    """Writes an explanation for a prompt."""

    @property
    def name(self) -> str:
        """Name of the model, for the record."""

    @property
    def settings(self) -> dict[str, object]:
        """Everything besides model and prompt that changes a reply."""

    def digest(self) -> str:
        """Return the hash of the weights, which also shows that the model can be asked. Raises LLMFailure."""

    @property
    def concurrency(self) -> int:
        """How many questions it may be asked at the same time."""

    def generate(self, prompt: str, images: Sequence[Path] = ()) -> Reply:
        """Answer a prompt, with pictures for a model that can see. Raises LLMFailure."""
