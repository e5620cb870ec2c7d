"""What a language model is to us: the protocol, its replies, its typed failures and the time limit of a call."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")

MAX_TOKENS = 400
"""Largest reply; three sentences need about a third of it."""
CONTEXT_TOKENS = 8192
"""Context that holds the largest prompt; a server's default is smaller, and it drops what does not fit silently."""


class FailureKind(StrEnum):
    """Why a reply cannot be used."""

    NO_MODEL_GIVEN = "no model given"
    NO_SERVER = "no server"
    NO_MODEL = "model not pulled"
    NOT_LOADED = "model not loaded"
    NO_VISION = "model cannot see images"
    TIMEOUT = "timeout"
    CONNECTION = "connection lost"
    SERVER_LOST = "server lost"
    SERVER = "server error"
    INVALID_JSON = "invalid JSON"
    SCHEMA = "wrong schema"
    EMPTY = "empty text"
    TRUNCATED = "truncated"
    TOO_LONG = "reply too long"
    RUNAWAY = "runaway"


class LLMFailure(Exception):
    """A language model gave no usable reply; `str()` is the reason in one line, `seconds` what it took if known."""

    def __init__(self, kind: FailureKind, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.kind = kind
        self.seconds = seconds

    @property
    def is_the_answer(self) -> bool:
        """Whether the model did answer, badly: at temperature 0 with a fixed seed it would again."""
        kinds = {
            FailureKind.INVALID_JSON, FailureKind.SCHEMA, FailureKind.EMPTY, FailureKind.TRUNCATED, FailureKind.RUNAWAY,
            FailureKind.TOO_LONG,
        }  # fmt: skip
        return self.kind in kinds

    @property
    def is_connection(self) -> bool:
        """Whether the server as a whole, not this one reply, is in doubt."""
        return self.kind in {FailureKind.NO_SERVER, FailureKind.TIMEOUT, FailureKind.CONNECTION}


@dataclass(frozen=True)
class Reply:
    """An answer: one JSON object, whose strings are cleaned.

    Args:
        content: the object.
        cached: whether it came from the cache.
        seconds: seconds the model took for it, the first time if it came from the cache; 0 if not known.
    """

    content: Mapping[str, object]
    cached: bool = False
    seconds: float = 0.0


class LLM(Protocol):
    """Writes an explanation for a prompt. May be asked from several threads."""

    @property
    def name(self) -> str:
        """Name of the model, for the record."""

    @property
    def settings(self) -> dict[str, object]:
        """Everything besides model, prompt and images that changes a reply."""

    @property
    def concurrency(self) -> int:
        """How many questions are worked on at the same time; more of them wait for their turn."""

    def digest(self) -> str:
        """Return the hash of the weights, which also shows that the model can be asked. Raises LLMFailure."""

    def generate(self, prompt: str, schema: Mapping[str, object], images: Sequence[Path] = ()) -> Reply:
        """Answer a prompt with a JSON object; a model that can see images looks at `images` too. Raises LLMFailure."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return `call()`, or raise TimeoutError after `seconds`.

    The timeout of an HTTP client starts anew with every byte received, so a server that trickles would hold it for
    ever, and native code has none. The call runs in a daemon thread that is left behind when time is up.
    """
    box: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def work() -> None:
        try:
            box.put((call(), None))
        except BaseException as error:
            box.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        value, error = box.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
