"""Language models that write explanations: the protocol, replies, typed failures, Ollama and a cache on disk.

Nothing here raises anything but `LLMFailure` while a run is going on, and nothing waits longer than its time limit: an
explanation is a by-product, and a missing or broken server must cost a counted fallback, not the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from mmrec.errors import UserError
from mmrec.explain.prompt import REPLY_SCHEMA

if TYPE_CHECKING:
    import ollama

T = TypeVar("T")

MAX_TOKENS = 400
"""Bound on a reply; three sentences and the cited titles need about a third of it."""
CONTEXT_TOKENS = 8192
"""Room for the largest packet; a server's default is smaller, and it drops what does not fit without a word."""
PROBE_SECONDS = 3.0
"""Limit of the first call, which only asks whether the server is there and has the model."""
_DEFAULT_HOST = "http://127.0.0.1:11434"


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

    def generate(self, prompt: str) -> Reply:
        """Answer a prompt. Raises LLMFailure."""


class OllamaLLM:
    """A model of an Ollama server, asked through the `ollama` client.

    Args:
        model: name as `ollama list` shows it, say `gemma3:4b`.
        host: address of the server; the variable OLLAMA_HOST or the local one if None.
        timeout: seconds one explanation may take, retries included.
        retries: how often to ask again after a lost connection or a server error. Replies that are merely bad are not
            asked for again: at temperature 0 with a fixed seed they would come out the same.
        seed: of the sampler.

    Raises:
        UserError: if an argument is out of range or the host is no address.
    """

    def __init__(
        self, model: str, host: str | None = None, timeout: float = 30, retries: int = 1, seed: int = 0
    ) -> None:
        if not model or timeout <= 0 or retries < 0:
            raise UserError(
                f"OllamaLLM(model={model!r}, timeout={timeout}, retries={retries}): needs a model name, a "
                "timeout above 0 seconds and 0 or more retries"
            )
        self._model = model
        self._host = host or os.environ.get("OLLAMA_HOST") or _DEFAULT_HOST
        _check_host(self._host)
        self._timeout = timeout
        self._retries = retries
        self._options = {"temperature": 0.0, "seed": seed, "num_predict": MAX_TOKENS, "num_ctx": CONTEXT_TOKENS}

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def settings(self) -> dict[str, object]:
        """Sampler options and reply schema."""
        return {**self._options, "format": REPLY_SCHEMA}

    def digest(self) -> str:
        """Ask the server, within `PROBE_SECONDS`, for the digest of the model's weights. Raises LLMFailure."""
        listed = self._call(lambda client: client.list(), min(PROBE_SECONDS, self._timeout))
        wanted = self._model if ":" in self._model else f"{self._model}:latest"
        for model in listed.models:
            if model.model == wanted and model.digest:
                return model.digest
        raise self._not_pulled()

    def generate(self, prompt: str) -> Reply:
        """Answer a prompt within the time limit. Raises LLMFailure."""

        def chat(client: ollama.Client) -> ollama.ChatResponse:
            return client.chat(
                model=self._model,
                messages=[{"role": "user", "content": prompt}],
                format=REPLY_SCHEMA,
                options=self._options,
                think=False,  # thinking would use up num_predict before the answer starts
            )

        deadline = time.monotonic() + self._timeout
        for left in range(self._retries, -1, -1):
            try:
                response = self._call(chat, deadline - time.monotonic())
                break
            except LLMFailure as failure:
                transient = failure.kind in {FailureKind.CONNECTION, FailureKind.NO_SERVER, FailureKind.SERVER}
                if not (left and transient and time.monotonic() < deadline):
                    raise
        if response.done_reason == "length":
            raise LLMFailure(FailureKind.TRUNCATED, f"truncated: no end after {MAX_TOKENS} tokens")
        return parse_reply(response.message.content or "")

    def _call(self, ask: Callable[[ollama.Client], T], seconds: float) -> T:
        """Run one request; every way in which it can go wrong becomes an LLMFailure."""
        import httpx  # both lazily: only a run that explains needs them
        import ollama

        def request() -> T:
            with ollama.Client(host=self._host, timeout=seconds) as client:
                return ask(client)

        try:
            return _within(seconds, request)
        except ollama.ResponseError as error:
            if error.status_code == 404 and "model" in str(error.error):
                raise self._not_pulled() from None
            detail = " ".join(str(error.error).split())[:200]
            raise LLMFailure(FailureKind.SERVER, f"server error: HTTP {error.status_code} {detail}".rstrip()) from None
        except (TimeoutError, httpx.TimeoutException):
            raise LLMFailure(FailureKind.TIMEOUT, f"timeout: no answer from {self._host}") from None
        except ConnectionError:
            raise LLMFailure(FailureKind.NO_SERVER, f"no server at {self._host}") from None
        except (httpx.HTTPError, OSError) as error:
            raise LLMFailure(FailureKind.CONNECTION, f"connection lost: {error}") from None
        except (ValueError, TypeError, AttributeError) as error:  # the client met a body that is no Ollama message
            detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise LLMFailure(
                FailureKind.SERVER, f"server error: {self._host} sent no Ollama reply ({detail})"
            ) from None

    def _not_pulled(self) -> LLMFailure:
        return LLMFailure(
            FailureKind.NO_MODEL,
            f"model not pulled: {self._host} has no {self._model}; run `ollama pull {self._model}`",
        )


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

    def generate(self, prompt: str) -> Reply:
        """Answer from the cache or, on a miss, by the model. Raises LLMFailure."""
        key = json.dumps([self.name, self.digest(), self.settings, prompt], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()}.json"
        with contextlib.suppress(OSError, ValueError, LLMFailure):  # absent or damaged: ask again
            kept = parse_reply(path.read_text(encoding="utf-8"))
            return Reply(kept.explanation, kept.cited_history, cached=True)
        reply = self._llm.generate(prompt)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._folder, delete=False) as file:
            json.dump({"explanation": reply.explanation, "cited_history": list(reply.cited_history)}, file)
        os.replace(file.name, path)
        return reply


def parse_reply(content: str) -> Reply:
    """Validate a reply against `REPLY_SCHEMA`. Raises LLMFailure (invalid JSON, wrong schema, empty text, runaway)."""
    try:
        data = json.loads(content)
    except ValueError:
        raise LLMFailure(FailureKind.INVALID_JSON, f"invalid JSON: {content[:60]!r}") from None
    text, cited = (data.get("explanation"), data.get("cited_history")) if isinstance(data, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(cited, list) or not all(isinstance(c, str) for c in cited):
        raise LLMFailure(FailureKind.SCHEMA, "wrong schema: needs explanation (text) and cited_history (list of text)")
    text = " ".join(text.split())
    if not text:
        raise LLMFailure(FailureKind.EMPTY, "empty text")
    words = text.casefold().split()
    if len(words) > 40 and len(set(words)) < 0.3 * len(words):  # a small model caught in a loop
        raise LLMFailure(FailureKind.RUNAWAY, f"runaway: {len(words)} words, {len(set(words))} different")
    return Reply(text, tuple(cited))


def _check_host(host: str) -> None:
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        valid = parts.scheme in {"http", "https"} and parts.port != 0  # reading the port checks that it is a number
    except ValueError:
        valid = False
    if not valid:
        raise UserError(f"OllamaLLM host {host!r} is no address: write it as http://NAME:11434")


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Return `call()`, or raise TimeoutError after `seconds`.

    The client's own timeout starts anew with every byte received, so a server that trickles would hold it for ever; the
    call runs in a daemon thread that is left behind then.
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
