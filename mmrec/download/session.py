"""One HTTP client for a whole run, and its limits per host: few connections, pauses, and giving up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import httpx

import mmrec
from mmrec.download.failures import UNANSWERED, Reason, TransferError, one_line
from mmrec.download.limits import Limits

USER_AGENT = f"mmrec/{mmrec.__version__} (recommender research; downloads datasets and item images)"
SCHEMES = ("http", "https")


class Host:
    """The state of one host in this run."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.per_host)
        self._free_at = 0.0
        self._unanswered = 0
        self._lost = ""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may start. Raises TransferError if the host has been given up."""
        async with self._slots:
            self._check()
            clock = asyncio.get_running_loop().time
            start = max(clock(), self._free_at)
            self._free_at = start + self._limits.delay_seconds
            await asyncio.sleep(start - clock())
            self._check()
            yield

    def note(self, error: TransferError | None) -> None:
        """Record how the last attempt for a file has ended."""
        if error is None or error.reason not in UNANSWERED | {Reason.HOST_LOST}:
            self._unanswered = 0
        elif error.reason in UNANSWERED:
            self._unanswered += 1
            if self._unanswered >= self._limits.lost_after:
                self._lost = f"{self.name} failed {self._unanswered} times in a row, last: {error}"

    def pause(self, seconds: float) -> None:
        """Start no request for some seconds; give the host up if that is longer than a run should wait."""
        if seconds > self._limits.longest_wait:
            self._lost = f"{self.name} asks for a pause of {seconds:,.0f} seconds"
        elif seconds:
            self._free_at = max(self._free_at, asyncio.get_running_loop().time() + seconds)

    def _check(self) -> None:
        if self._lost:
            raise TransferError(Reason.HOST_LOST, self._lost)


class Session:
    """HTTP client that keeps to `Limits`.

    Certificates are verified, and the proxies of the environment are used.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.slots = asyncio.Semaphore(limits.connections)
        self._hosts: dict[str, Host] = {}
        self.client = httpx.AsyncClient(
            # Compression on the way would hide the length and put other bytes on the disk than the checksum is of.
            headers={"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds, pool=None),
            limits=httpx.Limits(max_connections=limits.connections, max_keepalive_connections=limits.connections),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Session:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.__aexit__(kind, error, trace)

    def host(self, url: str) -> Host:
        """Return the host of an address. Raises TransferError if it is not an address."""
        parsed = parse_url(url)
        name = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
        if name not in self._hosts:
            self._hosts[name] = Host(name, self.limits)
        return self._hosts[name]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, in a new thread where an event loop is already running, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, work).result()


def parse_url(url: str) -> httpx.URL:
    """Return a parsed http or https address with a host. Raises TransferError."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):  # the library has no single exception for malformed addresses
        raise TransferError(Reason.NO_ADDRESS, one_line(url)) from None
    if not _usable(parsed):
        raise TransferError(Reason.NO_ADDRESS, one_line(url))
    return parsed


def follow(url: httpx.URL, location: str) -> httpx.URL:
    """Return the target of a redirect. Raises TransferError unless it is http or https, and not http after https."""
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise TransferError(Reason.REDIRECT, f"to {one_line(location)!r}, which is not an address") from None
    if not _usable(target):
        raise TransferError(Reason.REDIRECT, f"to {one_line(location)!r}, which is not an http or https address")
    if url.scheme == "https" and target.scheme == "http":
        raise TransferError(Reason.REDIRECT, f"from https to {one_line(location)!r}, which is not encrypted")
    return target


def _usable(url: httpx.URL) -> bool:
    return url.scheme in SCHEMES and bool(url.host) and (url.port or 0) < 1 << 16
