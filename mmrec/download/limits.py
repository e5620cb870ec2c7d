"""The bounds of every transfer: times, sizes and numbers of requests."""

from __future__ import annotations

from dataclasses import dataclass

from mmrec.errors import require


@dataclass(frozen=True)
class Limits:
    """Bounds of the transfer of archives.

    Args:
        attempts: number of failures in a row, without new bytes, after which a file is given up. Only time-outs, lost
            connections, HTTP 429 and HTTP 5xx are tried again.
        connect_seconds: longest time to reach a host.
        read_seconds: longest time without a byte.
        slowest: bytes per second, averaged over `read_seconds`, below which a transfer counts as stalled.
        total_seconds: longest time of one attempt; no bound if null.
        backoff_seconds: time before the second attempt; doubled each time, and shortened by up to a half at random.
        longest_wait: longest time between two attempts; a host that asks for more by Retry-After is given up.
        redirects: largest number of redirects in a row.
        max_bytes: largest size of a file.
        connections: number of connections open at the same time.
        per_host: number of these connections to the same host.
        delay_seconds: time between the starts of two requests to the same host.
        lost_after: number of files in a row without an answer after which a host is given up for this run.

    Raises:
        InvalidArgument: a value is outside its range.
    """

    attempts: int = 5
    connect_seconds: float = 15
    read_seconds: float = 30
    slowest: float = 1024
    total_seconds: float | None = None
    backoff_seconds: float = 1
    longest_wait: float = 120
    redirects: int = 5
    max_bytes: int = 64 << 30
    connections: int = 1
    per_host: int = 1
    delay_seconds: float = 0
    lost_after: int = 10

    def __post_init__(self) -> None:
        for name in ("attempts", "max_bytes", "connections", "per_host", "lost_after"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("connect_seconds", "read_seconds"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        require(self.total_seconds is None or self.total_seconds > 0, "total_seconds", self.total_seconds, "above 0")
        for name in ("slowest", "backoff_seconds", "longest_wait", "redirects", "delay_seconds"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")


@dataclass(frozen=True)
class ImageLimits(Limits):
    """Bounds of the transfer of images: many small files, from shops and film sites that deserve few requests.

    Args:
        min_side: smallest width and height in pixels; smaller images are placeholders.
        max_pixels: largest width times height; decoding takes 3 bytes of memory per pixel.
    """

    attempts: int = 3
    connect_seconds: float = 10
    read_seconds: float = 15
    total_seconds: float | None = 120
    max_bytes: int = 20 << 20
    connections: int = 16
    per_host: int = 2
    delay_seconds: float = 0.1
    min_side: int = 16
    max_pixels: int = 50_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("min_side", "max_pixels"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
