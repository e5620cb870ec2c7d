"""HTTP with limits: answers of bounded size and time, no redirects, no proxy for this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from mmrec.explain.llm.reply import MAX_REPLY_BYTES

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_VARIABLES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy")


class TooLong(Exception):
    """A server sent more than `MAX_REPLY_BYTES`."""


class LimitedTransport(httpx.BaseTransport):
    """Transport that closes a connection when its answer is too long or its time is over.

    The time limits of httpx start anew with every byte, so that a server which sends slowly would hold the connection
    for ever.

    Args:
        host: address of the server; the proxy of the environment is used only if the server is another machine.
        seconds: time limit of one request, its answer included.
    """

    def __init__(self, host: str, seconds: float) -> None:
        self._transport = httpx.HTTPTransport(proxy=_proxy_of(host))
        self._seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer is limited while it is read."""
        deadline = time.monotonic() + self._seconds
        response = self._transport.handle_request(request)
        assert isinstance(response.stream, httpx.SyncByteStream)
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        if len(headers) < len(response.headers.raw):  # a compressed answer can grow without limit when it is unpacked
            response.close()
            raise TooLong("the answer is compressed")
        return httpx.Response(
            response.status_code, headers=headers, stream=_Limited(response.stream, deadline),
            extensions=response.extensions,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class _Limited(httpx.SyncByteStream):
    """A stream with a limit of bytes and of time."""

    def __init__(self, stream: httpx.SyncByteStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > MAX_REPLY_BYTES:
                self.close()
                raise TooLong(f"more than {MAX_REPLY_BYTES} bytes")
            if time.monotonic() > self._deadline:
                self.close()
                raise httpx.ReadTimeout("time limit")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def client_options(host: str, seconds: float) -> dict[str, Any]:
    """Return the options of an HTTP client for a server."""
    return {
        "host": host,
        "timeout": seconds,
        "follow_redirects": False,  # a redirect would send the user's history to another server
        "transport": LimitedTransport(host, seconds),
        "headers": {"Accept-Encoding": "identity"},
    }


def proxy_hint(host: str) -> str:
    """Return what to tell about proxy variables when a server cannot be reached; empty if none is set."""
    names = [name for name in _VARIABLES if os.environ.get(name)]
    if not names:
        return ""
    used = "is used for it" if _proxy_of(host) else "is not used for it"
    return f" ({names[0]} is set and {used})"


def is_local(host: str) -> bool:
    """Return whether an address is of this machine."""
    name = urlsplit(host if "://" in host else f"http://{host}").hostname or ""
    return name in _LOCAL or name.startswith("127.")


def _proxy_of(host: str) -> str | None:
    """Return the proxy of the environment for a server; None for this machine and for excluded servers."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    if is_local(host) or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
