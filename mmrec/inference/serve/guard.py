"""What stands before the routes: token, host, size and time of a request, and the count of all of them."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from mmrec.inference.serve.measures import Measures
from mmrec.inference.serve.options import LOOPBACK, ServeOptions

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OPEN = frozenset({"/", "/health", "/docs", "/openapi.json"})
"""Paths without a token: pages that hold no data, and the answer to "is it alive"."""
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """An ASGI application around another one.

    Args:
        app: the inner application.
        options: the limits.
        measures: counts requests.
    """

    def __init__(self, app: Any, options: ServeOptions, measures: Measures) -> None:
        self.app = app
        self.options = options
        self.measures = measures
        self._token = None if options.token is None else f"Bearer {options.token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def counted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        try:
            refusal = self._refuse(scope)
            if refusal is not None:
                await _answer(counted, *refusal)
            else:
                await self._limited(scope, receive, counted)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")
            self.measures.count(path, status, time.perf_counter() - started)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def metered() -> MutableMapping[str, Any]:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.options.max_body:
                raise HTTPException(413, f"the body is larger than {self.options.max_body:,} bytes")
            return message

        await self.app(scope, metered, send)

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and sentence for a request that does not get further."""
        headers = dict(scope["headers"])
        if self.options.on_loopback and not _names_loopback(headers.get(b"host", b"")):
            # A page of another site that gives its own name the address 127.0.0.1 must not read the answers.
            return 421, "the Host header must name localhost, to which this server is bound"
        if self._token is not None and scope["path"] not in OPEN:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._token):
                return 401, "the request needs the header Authorization: Bearer TOKEN with the server's token"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return 400, "the header Content-Length must be a number"
        if int(length) > self.options.max_body:
            return 413, f"the body is larger than {self.options.max_body:,} bytes"
        return None


def _names_loopback(host: bytes) -> bool:
    name = host.decode("latin-1").strip()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name.lower() in LOOPBACK


async def _answer(send: Send, status: int, detail: str) -> None:
    headers = [(b"content-type", b"application/json")]
    headers += [(b"www-authenticate", b"Bearer")] if status == 401 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": detail}).encode()})
