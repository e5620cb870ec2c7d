"""Models of an Ollama server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from mmrec.errors import UserError
from mmrec.explain.llm.base import CONTEXT_TOKENS, LLM, MAX_TOKENS, FailureKind, LLMFailure, Reply, within
from mmrec.explain.llm.images import encoded_image
from mmrec.explain.llm.reply import check_end, parse_object
from mmrec.explain.text import clean

if TYPE_CHECKING:
    import ollama

T = TypeVar("T")

PROBE_SECONDS = 3.0
"""Limit of each of the first calls, which only ask whether the server is there and what the model is."""
_DEFAULT_HOST = "http://127.0.0.1:11434"
_TRANSIENT = {FailureKind.CONNECTION, FailureKind.NO_SERVER, FailureKind.SERVER}


class OllamaLLM(LLM):
    """A model of an Ollama server, asked through the `ollama` client.

    Args:
        model: name of the model as `ollama list` shows it, for example `gemma3:4b`.
        host: address of the server; the variable OLLAMA_HOST or the local one if None.
        timeout: seconds one explanation may take, retries included. The wait for a turn does not count: the questions
            before it keep to the same limit.
        retries: number of further tries after a lost connection or a server error. A reply that is merely bad is not
            asked for again: at temperature 0 with a fixed seed it would be the same.
        seed: seed of the sampler.
        concurrency: questions asked at the same time; the server queues those beyond its OLLAMA_NUM_PARALLEL.
        images: show the model the item's image too. The model must be able to see images.
        think: let the model think before it answers, false by default because thinking uses up the tokens of the
            answer; "low", "medium" or "high" for models with levels; None to leave it to the server, for models that
            ignore the schema when it is false.

    Raises:
        UserError: if an argument is out of range or the host is not an address.
    """

    def __init__(
        self,
        model: str,
        host: str | None = None,
        timeout: float = 30,
        retries: int = 1,
        seed: int = 0,
        concurrency: int = 2,
        images: bool = False,
        think: bool | Literal["low", "medium", "high"] | None = False,
    ) -> None:
        if not model or timeout <= 0 or retries < 0 or concurrency < 1:
            raise UserError(
                f"OllamaLLM(model={model!r}, timeout={timeout}, retries={retries}, concurrency={concurrency}): needs a "
                "model name, a timeout above 0 seconds, 0 or more retries and a concurrency of 1 or more"
            )
        self._model = model
        self._host = host or os.environ.get("OLLAMA_HOST") or _DEFAULT_HOST
        _check_host(self._host)
        self._timeout = timeout
        self._retries = retries
        self._concurrency = concurrency
        self._turns = threading.BoundedSemaphore(concurrency)
        self._images = images
        self._think = think
        self._options = {"temperature": 0.0, "seed": seed, "num_predict": MAX_TOKENS, "num_ctx": CONTEXT_TOKENS}

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def settings(self) -> dict[str, object]:
        """Sampler options, thinking, and whether images are shown."""
        return {**self._options, "images": self._images, "think": self._think}

    @property
    def concurrency(self) -> int:
        """Questions asked at the same time."""
        return self._concurrency

    def digest(self) -> str:
        """Ask the server, within `PROBE_SECONDS` each, for the model's digest and its senses. Raises LLMFailure."""
        seconds = min(PROBE_SECONDS, self._timeout)
        listed = self._call(lambda client: client.list(), seconds)
        wanted = (self._model, f"{self._model}:latest")  # servers that speak the protocol may leave the tag out
        digest = next((model.digest for model in listed.models if model.model in wanted), None)
        if not digest:
            raise self._not_pulled()
        if self._images:
            shown = self._call(lambda client: client.show(self._model), seconds)
            if "vision" not in (shown.capabilities or ()):
                reason = f"model cannot see images: {self._model}; set images to false or use another"
                raise LLMFailure(FailureKind.NO_VISION, reason)
        return digest

    def generate(self, prompt: str, schema: Mapping[str, object], images: Sequence[Path] = ()) -> Reply:
        """Answer a prompt within the time limit; images that cannot be read are left out. Raises LLMFailure."""
        message: dict[str, object] = {"role": "user", "content": prompt}
        if self._images and (shown := [data for path in images if (data := encoded_image(path))]):
            message["images"] = shown
        with self._turns:
            response = self._ask(message, schema)
        check_end(response.done_reason)
        return Reply(parse_object(response.message.content or ""))

    def _ask(self, message: dict[str, object], schema: Mapping[str, object]) -> ollama.ChatResponse:
        """Ask, and ask again after faults that may pass, until the time limit."""

        def chat(client: ollama.Client) -> ollama.ChatResponse:
            return client.chat(
                model=self._model, messages=[message], format=dict(schema), options=self._options, think=self._think
            )

        deadline = time.monotonic() + self._timeout
        left = self._retries
        while True:
            try:
                return self._call(chat, deadline - time.monotonic())
            except LLMFailure as failure:
                if not left or failure.kind not in _TRANSIENT or time.monotonic() >= deadline:
                    raise
            left -= 1

    def _call(self, ask: Callable[[ollama.Client], T], seconds: float) -> T:
        """Run one request; every way in which it can go wrong becomes an LLMFailure."""
        import httpx  # both lazily: only a run that explains needs them
        import ollama

        from mmrec.explain.llm.http import TooLong, client_options, proxy_hint

        def request() -> T:
            with ollama.Client(**client_options(self._host, seconds)) as client:
                return ask(client)

        try:
            return within(seconds, request)
        except ollama.ResponseError as error:
            if error.status_code == 404 and "model" in str(error.error):
                raise self._not_pulled() from None
            detail = f"HTTP {error.status_code} {clean(str(error.error))}".rstrip()
            if 300 <= error.status_code < 400:
                detail = f"HTTP {error.status_code}: {self._host} redirects elsewhere, which is not followed"
            raise LLMFailure(FailureKind.SERVER, f"server error: {detail}") from None
        except TooLong as error:
            raise LLMFailure(FailureKind.TOO_LONG, f"reply too long: {error}") from None
        except (TimeoutError, httpx.TimeoutException):
            raise LLMFailure(
                FailureKind.TIMEOUT, f"timeout: no answer from {self._host}{proxy_hint(self._host)}"
            ) from None
        except ConnectionError:
            raise LLMFailure(FailureKind.NO_SERVER, f"no server at {self._host}{proxy_hint(self._host)}") from None
        except (httpx.HTTPError, OSError) as error:
            raise LLMFailure(FailureKind.CONNECTION, f"connection lost: {clean(str(error))}") from None
        except (ValueError, TypeError, AttributeError) as error:  # the client met a body that is no Ollama message
            detail = clean(str(error).splitlines()[0]) if str(error) else type(error).__name__
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
        raise UserError(f"OllamaLLM host {host!r} is not an address: write it as http://NAME:11434")
