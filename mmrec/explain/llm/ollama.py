"""A model of an Ollama server."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from mmrec.errors import UserError
from mmrec.explain.llm.base import CONTEXT_TOKENS, MAX_TOKENS, FailureKind, LLMFailure, Reply
from mmrec.explain.llm.reply import REPLY_SCHEMA, parse_reply

if TYPE_CHECKING:
    import ollama

T = TypeVar("T")

PROBE_SECONDS = 3.0
"""Limit of the first call, which only asks whether the server is there and has the model."""
_DEFAULT_HOST = "http://127.0.0.1:11434"


class OllamaLLM:
    """A model of an Ollama server, asked through the `ollama` client.

    Args:
        model: name as `ollama list` shows it, say `gemma3:4b`.
        host: address of the server; the variable OLLAMA_HOST or the local one if None.
        timeout: seconds one explanation may take, retries included.
        retries: how often to ask again after a lost connection or a server error. Replies that are merely bad are not
            asked for again: at temperature 0 with a fixed seed they would come out the same.
        seed: of the sampler.
        concurrency: questions at the same time; a server answers so many in parallel as OLLAMA_NUM_PARALLEL says, and
            lets the others wait, which counts as their time.

    Raises:
        UserError: if an argument is out of range or the host is no address.
    """

    def __init__(
        self,
        model: str,
        host: str | None = None,
        timeout: float = 30,
        retries: int = 1,
        seed: int = 0,
        concurrency: int = 2,
    ) -> None:
        if not model or timeout <= 0 or retries < 0 or concurrency < 1:
            raise UserError(
                f"OllamaLLM(model={model!r}, timeout={timeout}, retries={retries}, concurrency={concurrency}): needs a "
                "model name, a timeout above 0 seconds, 0 or more retries and 1 or more questions at once"
            )
        self._concurrency = concurrency
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

    @property
    def concurrency(self) -> int:
        """As configured."""
        return self._concurrency

    def generate(self, prompt: str, images: Sequence[Path] = ()) -> Reply:
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
