"""A GGUF file run in this process by llama.cpp, through the package `xllamacpp`: no server to install or start."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrec.errors import UserError
from mmrec.explain.llm.base import LLM, MAX_TOKENS, FailureKind, LLMFailure, Reply, within
from mmrec.explain.llm.native import Answer, close, has_template, import_runtime, line, start
from mmrec.explain.llm.reply import check_end, parse_object

LOAD_SECONDS = 120.0
"""Limit of the loading of the file; a large model on a slow disk takes a minute."""
_PENALTY = {"repeat_penalty": 1.1, "repeat_last_n": 64}  # Ollama's; without it small models repeat their first sentence


class LlamaCppLLM(LLM):
    """A language model in a GGUF file. It answers one question at a time and does not see images.

    Args:
        file: the model; its name without the ending is the name of the model.
        timeout: seconds one explanation may take. Loading the file, on first use, and the wait for a turn do not count.
        seed: seed of the sampler.
        threads: number of decoding threads; None for half of the processors. llama.cpp's threads wait for each other
            busily: where other work takes their processors away, fewer of them are many times as fast.
        chat: whether the question is put as a chat or as a text to continue, which is what a base model understands;
            None to choose a chat if the file has a chat template.

    Raises:
        UserError: if `xllamacpp` is not installed, the file is no GGUF file or an option is out of range.
    """

    def __init__(
        self,
        file: Path,
        timeout: float = 60,
        seed: int = 0,
        threads: int | None = None,
        chat: bool | None = None,
    ) -> None:
        self._file = Path(file)
        if timeout <= 0 or (threads is not None and threads < 1):
            raise UserError(
                f"LlamaCppLLM(timeout={timeout}, threads={threads}): needs a timeout above 0 seconds and 1 thread"
                " or more"
            )
        self._xllamacpp = import_runtime()
        templated = has_template(self._file)
        self._chat = templated if chat is None else chat
        self._timeout = timeout
        self._threads = threads or max(1, (os.cpu_count() or 1) // 2)
        self._options = {"temperature": 0.0, "seed": seed, "max_tokens": MAX_TOKENS, **_PENALTY}
        self._loading = threading.Lock()
        self._turn = threading.Lock()
        self._decoding = threading.Lock()
        self._closing = threading.Event()
        self._server: list[Any] = []  # one or none; nothing else may hold on to it, so that it ends when taken out
        self._failure: LLMFailure | None = None
        self._digest: str | None = None
        # runs at the end of the process, too
        weakref.finalize(self, close, self._closing, self._loading, self._decoding, self._server)

    @property
    def name(self) -> str:
        """Name of the file, without its ending."""
        return self._file.stem

    @property
    def settings(self) -> dict[str, object]:
        """Sampler options, form of the question and version of the runtime."""
        version = getattr(self._xllamacpp, "__version__", None)
        return {**self._options, "chat": self._chat, "xllamacpp": version}

    @property
    def concurrency(self) -> int:
        """One: the decoding takes all the processors it may."""
        return 1

    def digest(self) -> str:
        """Load the file and return its SHA-256. Raises LLMFailure."""
        self._load()
        with self._loading:
            if self._digest is None:
                try:
                    with self._file.open("rb") as file:
                        self._digest = hashlib.file_digest(file, "sha256").hexdigest()
                except OSError as error:
                    raise LLMFailure(FailureKind.NOT_LOADED, f"model not loaded: {error}") from None
            return self._digest

    def generate(self, prompt: str, schema: Mapping[str, object], images: Sequence[Path] = ()) -> Reply:
        """Answer a prompt within the time limit; images are not looked at. Raises LLMFailure."""
        self._load()
        with self._turn:
            answer = Answer(time.monotonic() + self._timeout, self._closing)
            try:
                within(self._timeout, lambda: self._decode(prompt, schema, answer))
            except TimeoutError:
                raise LLMFailure(FailureKind.TIMEOUT, f"timeout: no end after {self._timeout:g} seconds") from None
            except Exception as error:  # whatever the native code throws
                raise LLMFailure(FailureKind.SERVER, f"server error: {line(error)}") from None
        if answer.error:
            raise LLMFailure(FailureKind.SERVER, f"server error: {answer.error}")
        if answer.loop:
            raise LLMFailure(FailureKind.RUNAWAY, f"runaway: {answer.loop}")
        if answer.end is None and time.monotonic() >= answer.deadline:
            raise LLMFailure(FailureKind.TIMEOUT, f"timeout: no end after {self._timeout:g} seconds")
        if answer.end is None:
            raise LLMFailure(FailureKind.SERVER, "server error: stopped before its end")
        check_end(answer.end)
        return Reply(parse_object("".join(answer.parts)))

    def _decode(self, prompt: str, schema: Mapping[str, object], answer: Answer) -> None:
        """Decode into `answer`, after a call whose time ran out has left the native code. Raises TimeoutError."""
        if not self._decoding.acquire(timeout=max(answer.deadline - time.monotonic(), 0)):
            raise TimeoutError
        try:
            body: dict[str, object] = {
                **self._options,
                "stream": True,
                "return_progress": True,  # calls back while the prompt is read, so that it can be stopped there
                "cache_prompt": False,  # what was asked before must not change the rounding, and so the text
            }
            if self._chat:
                body["messages"] = [{"role": "user", "content": prompt}]
                body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
                body["chat_template_kwargs"] = {"enable_thinking": False}  # it would use up max_tokens
                self._server[0].handle_chat_completions(body, answer.take)
            else:
                body["prompt"] = f"{prompt}\n"
                # A base model given the choice writes white space for ever.
                body["json_schema"] = {**schema, "x-guidance": {"whitespace_flexible": False}}
                self._server[0].handle_completions(body, answer.take)
        finally:
            self._decoding.release()

    def _load(self) -> None:
        """Load the model; a failure is kept, as it would cost as long again. Raises LLMFailure."""
        with self._loading:
            if self._failure:
                raise LLMFailure(self._failure.kind, str(self._failure))
            if not self._server:
                try:
                    self._server.append(within(LOAD_SECONDS, self._start))
                except Exception as error:
                    reason = f"no end after {LOAD_SECONDS:g} s" if isinstance(error, TimeoutError) else line(error)
                    self._failure = LLMFailure(FailureKind.NOT_LOADED, f"model not loaded: {self._file}: {reason}")
                    raise self._failure from None

    def _start(self) -> Any:
        folder = tempfile.TemporaryDirectory(prefix="mmrec-", ignore_cleanup_errors=True)
        weakref.finalize(self, folder.cleanup)  # runs at the end of the process, too
        return start(self._xllamacpp, self._file, self._threads, folder.name)
