"""The options of a server."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, get_args

from mmrec.errors import require, require_whole_number
from mmrec.explain.writing.writer import Way
from mmrec.inference.onnx import Runtime

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How a server listens and what it accepts.

    Args:
        model: path of a bundle, or of a run's folder.
        host: address to bind to; other machines reach a server on "0.0.0.0" alone.
        port: TCP port; 0 for a free one.
        token: bearer token that requests must carry, pages and `/health` excepted; None for no token.
        workers: number of processes.
        runtime: what computes the scores of a bundle: "torch", or "onnx" for ONNX Runtime, which is faster.
        threads: threads of each process that compute scores.
        batch: questions that are answered together, at most.
        queue: questions that wait, at most; further ones are refused with status 503.
        timeout: seconds after which a request is given up with status 504.
        max_body: size of a request's body in bytes, at most.
        watch: seconds between two looks at the bundle's manifest; 0 for never.
        llm: `class_path` and `init_args` of the language model of streamed explanations; None for facts alone.
        writing: "grounded": it chooses true statements and the grammar writes them; "free": it writes, and only
            verified sentences are sent.
        llm_timeout: seconds that it may take for one explanation, the wait for its turn included.
        streams: explanations that it writes or that wait for it, at most; others end with the answer from facts.

    Raises:
        InvalidArgument: a value is outside its range.
    """

    model: str
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    workers: int = 1
    runtime: Runtime = "torch"
    threads: int = 1
    batch: int = 32
    queue: int = 1024
    timeout: float = 10.0
    max_body: int = 2**20
    watch: float = 1.0
    llm: dict[str, Any] | None = None
    writing: Way = "grounded"
    llm_timeout: float = 30.0
    streams: int = 32

    def __post_init__(self) -> None:
        require_whole_number("port", self.port, at_least=0, at_most=65535)
        for name in ("workers", "threads", "batch", "queue", "max_body", "streams"):
            require_whole_number(name, getattr(self, name), at_least=1)
        require(self.runtime in get_args(Runtime), "runtime", self.runtime, f"one of {', '.join(get_args(Runtime))}")
        require(self.timeout > 0, "timeout", self.timeout, "above 0")
        require(self.llm_timeout > 0, "llm_timeout", self.llm_timeout, "above 0")
        require(self.watch >= 0, "watch", self.watch, "at least 0")
        require(self.token != "", "token", "empty", "a text that is not empty")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return self.host in LOOPBACK

    def to_json(self) -> str:
        """Return the options as a text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServeOptions:
        """Return the options of a text."""
        return cls(**json.loads(text))
