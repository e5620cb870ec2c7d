"""The transfer of one file over HTTP: resumed where the server allows it, retried where useful, and checked."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from mmrec.download.failures import TRANSIENT, Reason, TransferError, one_line
from mmrec.download.limits import Limits
from mmrec.download.part import Origin, PartFile
from mmrec.download.session import Session, follow, parse_url

WEB_PAGES = ("text/html", "application/xhtml+xml")
ADVANCE = 1 << 20
"""Bytes that an attempt must add for it not to count as failed: a large file may break off as often as it moves on."""

OnBytes = Callable[[int, int | None], None]
"""Function called with the number of bytes that have arrived and the size of the whole file."""


@dataclass(frozen=True)
class Expected:
    """Size and checksums of a file where they are known; the hashes are hexadecimal, in lower case."""

    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Fetched:
    """A file that has arrived."""

    url: str
    bytes: int
    sha256: str
    etag: str | None
    last_modified: str | None
    attempts: int
    announced: bool
    """Whether the server announced the size; if not, only the content shows whether the file is whole."""


async def fetch(session: Session, part: PartFile, expected: Expected, on_bytes: OnBytes | None = None) -> Fetched:
    """Fetch a file to `part.path`, whole and checked.

    Args:
        session: the client with its limits.
        part: part file to write to; bytes that it holds are continued.
        expected: size and checksum, where known.
        on_bytes: function called with the progress.

    Raises:
        TransferError: the file did not arrive; `part` keeps the bytes that can be continued.
    """
    limits, host = session.limits, session.host(part.url)
    if part.origin is None:
        part.discard()
    attempts = fruitless = 0
    furthest = part.size
    while True:
        attempts += 1
        resumed = part.size > 0
        try:
            if not part.complete:
                async with host.turn(), session.slots:
                    await _attempt(session, part, expected, on_bytes)
            sha256 = await asyncio.to_thread(_check, part, expected, resumed)
        except TransferError as error:
            error.attempts = attempts
            # Measured against the furthest point: a server that always breaks off there does not get new attempts.
            fruitless = 0 if part.size >= furthest + ADVANCE else fruitless + 1
            furthest = max(furthest, part.size)
            host.pause(error.wait)
            if error.reason not in TRANSIENT or fruitless >= limits.attempts or error.wait > limits.longest_wait:
                host.note(error)
                raise
            await asyncio.sleep(_backoff(fruitless, limits))
        else:
            host.note(None)
            origin = part.origin
            return Fetched(
                url=part.url,
                bytes=part.size,
                sha256=sha256,
                etag=origin.etag if origin else None,
                last_modified=origin.last_modified if origin else None,
                attempts=attempts,
                announced=bool(origin and origin.total is not None),
            )


def _backoff(fruitless: int, limits: Limits) -> float:
    """Return the seconds before the next attempt; their random part spreads many clients over time."""
    longest = limits.backoff_seconds * 2.0 ** min(max(fruitless - 1, 0), 30)
    return min(longest, limits.longest_wait) * random.uniform(0.5, 1)


async def _attempt(session: Session, part: PartFile, expected: Expected, on_bytes: OnBytes | None) -> None:
    """Make one request and append its body; every failure becomes a TransferError."""
    limits = session.limits
    answered = False
    try:
        async with asyncio.timeout(limits.total_seconds):
            # Each read has its own limit, which a server that sends its headers byte by byte never reaches.
            async with asyncio.timeout(limits.connect_seconds + limits.read_seconds):
                response = await _open(session, part)
            answered = True
            try:
                _check_head(response, part)
                origin = part.begin(response)
                await _receive(response, part, origin, expected, limits, on_bytes)
            finally:
                await response.aclose()
    except (TimeoutError, httpx.TimeoutException) as error:
        detail = "while connecting" if isinstance(error, httpx.ConnectTimeout) else f"after {part.size:,} bytes"
        raise TransferError(Reason.TIMEOUT, detail) from None
    except httpx.ConnectError as error:
        reason = Reason.CERTIFICATE if "CERTIFICATE_VERIFY" in str(error) else Reason.CONNECTION
        raise TransferError(reason, one_line(error)) from None
    except httpx.HTTPError as error:
        reason = Reason.TRUNCATED if answered else Reason.CONNECTION
        raise TransferError(reason, one_line(error) or type(error).__name__) from None
    except UnicodeError:  # raised by the resolver where a label of the host name is empty or too long
        raise TransferError(Reason.NO_ADDRESS, one_line(part.url)) from None


async def _open(session: Session, part: PartFile) -> httpx.Response:
    url = parse_url(part.url)
    for _ in range(session.limits.redirects + 1):
        request = session.client.build_request("GET", url, headers=part.request_headers())
        response = await session.client.send(request, stream=True)
        if not response.has_redirect_location:
            return response
        await response.aclose()
        url = follow(url, response.headers["location"])
    raise TransferError(Reason.REDIRECT, f"more than {session.limits.redirects} in a row")


def _check_head(response: httpx.Response, part: PartFile) -> None:
    """Raise a TransferError if the status line or a header shows that the body is not the file."""
    status = response.status_code
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.discard()
        raise TransferError(Reason.CHANGED, "it is shorter than what has arrived")
    if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        reason = {404: Reason.GONE, 410: Reason.GONE, 429: Reason.THROTTLED, 408: Reason.TIMEOUT}.get(status)
        reason = reason or (Reason.SERVER if status >= 500 else Reason.REFUSED)
        raise TransferError(reason, f"HTTP {status}", _retry_after(response.headers.get("retry-after", "")))
    if response.headers.get("content-type", "").split(";")[0].strip().lower() in WEB_PAGES:
        raise TransferError(Reason.WEB_PAGE, response.headers["content-type"])
    encoding = response.headers.get("content-encoding", "identity").lower()
    # A web server may call a .gz file encoded, although its bytes are the file itself.
    stored = encoding in ("gzip", "x-gzip") and response.url.path.endswith(".gz")
    if encoding not in ("identity", "") and not stored:
        raise TransferError(Reason.REFUSED, f"sent in the encoding {one_line(encoding)}, which was not asked for")


def _retry_after(value: str) -> float:
    """Return the seconds of a Retry-After header, 0 if it is missing or not understood."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # malformed, or a date without a time zone
        return 0.0


async def _receive(
    response: httpx.Response,
    part: PartFile,
    origin: Origin,
    expected: Expected,
    limits: Limits,
    on_bytes: OnBytes | None,
) -> None:
    """Append the body to the part. Raises TransferError if it is too long, too short or too slow."""
    total = expected.bytes if origin.total is None else origin.total
    if expected.bytes not in (None, total):
        raise TransferError(Reason.WRONG_SIZE, f"{total:,} bytes announced, {expected.bytes:,} expected")
    if total is not None and total > limits.max_bytes:
        raise TransferError(Reason.TOO_LARGE, f"{total:,} bytes announced, {limits.max_bytes:,} allowed")
    most = limits.max_bytes if total is None else total
    clock = asyncio.get_running_loop().time
    size = part.size
    window_start, window_size = clock(), size
    with part.path.open("ab") as file:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > most:
                raise TransferError(Reason.TOO_LARGE, f"more than {most:,} bytes")
            file.write(chunk)
            if on_bytes is not None:
                on_bytes(size, total)
            elapsed = clock() - window_start
            if elapsed > limits.read_seconds:
                if size - window_size < limits.slowest * elapsed:
                    speed = (size - window_size) / elapsed
                    raise TransferError(Reason.STALLED, f"{speed:,.0f} bytes per second after {size:,} bytes")
                window_start, window_size = clock(), size
    if total is not None and size != total:
        raise TransferError(Reason.TRUNCATED, f"{size:,} of {total:,} bytes")


def _check(part: PartFile, expected: Expected, resumed: bool) -> str:
    """Return the sha256 of the part. Raises TransferError, and discards the part, if it is not as expected."""
    if expected.bytes not in (None, part.size):
        size = part.size
        part.discard()
        raise TransferError(Reason.WRONG_SIZE, f"{size:,} bytes, {expected.bytes:,} expected")
    digests = {}
    for name in ("sha256", "md5") if expected.md5 else ("sha256",):
        with part.path.open("rb") as file:
            digests[name] = hashlib.file_digest(file, name).hexdigest()
    for name, digest in digests.items():
        pinned = getattr(expected, name)
        if pinned is not None and pinned != digest:
            part.discard()
            # Pieces of two versions may have been joined: another attempt from the start may succeed.
            reason = Reason.CHANGED if resumed else Reason.CHECKSUM
            raise TransferError(reason, f"{name} {digest}, expected {pinned}")
    return digests["sha256"]
