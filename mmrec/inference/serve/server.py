"""The process, or processes, of a server."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from mmrec.errors import UserError
from mmrec.inference.bundle import is_bundle
from mmrec.inference.bundle.manifest import read_bundle_manifest, verify_files
from mmrec.inference.serve.options import ServeOptions
from mmrec.utils.allocator import keep_freed_memory

ENVIRONMENT = "MMREC_SERVE"
"""Environment variable by which the workers are given the options."""
BACKLOG = 2048
"""Connections that may wait until the server takes them."""
DRAIN = 15
"""Seconds that requests have to end after SIGTERM."""


def serve(options: ServeOptions) -> None:
    """Answer requests until a signal ends the process; requests that have begun are answered first.

    Raises:
        UserError: FastAPI is not installed, the model cannot be opened, or the address is in use.
    """
    try:
        import uvicorn

        from mmrec.inference.serve.app import build_app
        from mmrec.inference.serve.measures import SHARED
    except ImportError as error:
        raise UserError(f"{error.name} is not installed: pip install 'mmrec[serve]'") from None
    keep_freed_memory()  # otherwise each batch's scores are new pages, which the kernel fills with zeros
    listening = _listen(options)
    if not options.on_loopback and options.token is None:
        print(f"mmrec: whoever reaches {options.host} can ask: set MMREC_TOKEN to require a token", file=sys.stderr)
    host, port = listening.getsockname()[:2]
    common: dict[str, Any] = {
        "log_level": "warning", "access_log": False, "timeout_graceful_shutdown": DRAIN, "timeout_keep_alive": 30,
        "server_header": False,
    }  # fmt: skip
    words = f"{options.model}: http://{host}:{port}, /docs for programs; Ctrl-C ends"
    if options.workers == 1:
        config = uvicorn.Config(build_app(options), **common)
        listening.listen(BACKLOG)
        print(words, flush=True)
        uvicorn.Server(config).run(sockets=[listening])
        return
    if is_bundle(Path(options.model)):  # each worker would say so again
        verify_files(Path(options.model), read_bundle_manifest(Path(options.model)).files)
    with tempfile.TemporaryDirectory(prefix="mmrec_metrics_") as folder:
        os.environ |= {ENVIRONMENT: options.to_json(), SHARED: folder}
        config = uvicorn.Config(f"{__name__}:worker_app", factory=True, workers=options.workers, **common)
        listening.listen(BACKLOG)
        print(words, flush=True)
        _supervise(config, listening)


def _supervise(config: Any, listening: socket.socket) -> None:
    """Run the workers until a signal comes, then end as other commands do for it."""
    from uvicorn.supervisors import Multiprocess

    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    supervisor = Multiprocess(config, sockets=[listening])
    stopped: list[int] = []

    def remember(then: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
        def handle(signum: int, frame: FrameType | None) -> None:
            stopped.append(signum)
            then(signum, frame)

        return handle

    for signum in before:
        handler = signal.getsignal(signum)
        assert callable(handler)
        signal.signal(signum, remember(handler))
    try:
        supervisor.run()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if stopped:
        signal.raise_signal(signal.Signals(stopped[0]))


def worker_app() -> Any:
    """Return the application of one worker, whose options stand in the environment."""
    from mmrec.inference.serve.app import build_app

    keep_freed_memory()
    return build_app(ServeOptions.from_json(os.environ[ENVIRONMENT]))


def _listen(options: ServeOptions) -> socket.socket:
    if not Path(options.model).exists():
        raise UserError(f"{options.model}: no such folder; name a bundle of `mmrec export`, or a run")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
    except OSError as error:
        raise UserError(f"--host {options.host} --port {options.port}: {error.strerror}; choose another") from None
    listening.set_inheritable(True)
    return listening
