"""How long, how much and how often: the bounds of every transfer."""

from __future__ import annotations

from dataclasses import dataclass

from mmrec.errors import require


@dataclass(frozen=True)
class Limits:
    """Bounds of the transfer of archives.

    Args:
        attempts: how often in a row a file may fail without bringing anything new. Only time-outs, lost connections,
            HTTP 429 and HTTP 5xx are tried again.
        connect_seconds: to reach a host.
        read_seconds: without a byte.
        slowest: bytes a second, averaged over `read_seconds`, below which a transfer counts as stalled.
        total_seconds: one attempt may take; no bound if null.
        backoff_seconds: before the second attempt; doubled each time, and shortened by up to a half at random.
        longest_wait: seconds between two attempts at most; a host that asks for more with Retry-After is left alone.
        redirects: to follow.
        max_bytes: of a file.
        connections: open at the same time.
        per_host: of them to the same host.
        delay_seconds: between the starts of two requests to the same host.
        lost_after: files in a row that a host fails to answer for before it is given up for this run.

    Raises:
        UserError: a value is out of range.
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
            require(getattr(self, name) >= 1, f"limits.{name}", getattr(self, name), "1 or more")
        for name in ("connect_seconds", "read_seconds"):
            require(getattr(self, name) > 0, f"limits.{name}", getattr(self, name), "above 0")
        require(
            self.total_seconds is None or self.total_seconds > 0, "limits.total_seconds", self.total_seconds, "above 0"
        )
        for name in ("slowest", "backoff_seconds", "longest_wait", "redirects", "delay_seconds"):
            require(getattr(self, name) >= 0, f"limits.{name}", getattr(self, name), "0 or more")


@dataclass(frozen=True)
class ImageLimits(Limits):
    """Bounds of the transfer of pictures: small files, many of them, from shops and film sites that owe us nothing.

    Args:
        min_side: pixels; what is smaller on either side is a placeholder, not a picture.
        max_pixels: width times height; decoding takes 3 bytes of memory for each.
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
            require(getattr(self, name) >= 1, f"limits.{name}", getattr(self, name), "1 or more")
