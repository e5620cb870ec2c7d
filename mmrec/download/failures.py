"""The reasons why a transfer fails, and which of them are worth another attempt."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a transfer failed, in the words of summaries."""

    NO_ADDRESS = "no usable address"
    CONNECTION = "no connection"
    TIMEOUT = "time-out"
    STALLED = "too slow"
    THROTTLED = "throttled"
    SERVER = "server error"
    TRUNCATED = "broken off"
    CHANGED = "changed meanwhile"
    GONE = "gone"
    REFUSED = "refused"
    CERTIFICATE = "certificate not trusted"
    REDIRECT = "redirect not followed"
    WEB_PAGE = "web page instead of the file"
    TOO_LARGE = "too large"
    WRONG_SIZE = "not the expected size"
    CHECKSUM = "wrong checksum"
    DAMAGED = "not a sound archive"
    NOT_AN_IMAGE = "not an image"
    PLACEHOLDER = "placeholder image"
    UNSAFE_ID = "id unsafe as a file name"
    HOST_LOST = "host given up"


TRANSIENT = frozenset(
    {
        Reason.CONNECTION,
        Reason.TIMEOUT,
        Reason.STALLED,
        Reason.THROTTLED,
        Reason.SERVER,
        Reason.TRUNCATED,
        Reason.CHANGED,
    }
)
"""Reasons that may pass: tried again within a run."""

UNANSWERED = TRANSIENT - {Reason.TRUNCATED, Reason.CHANGED}
"""Reasons that put the host as a whole in doubt, not one file."""


class TransferError(Exception):
    """A file did not arrive.

    Args:
        reason: the kind of failure.
        detail: the particulars in one line, with figures.
        wait: seconds for which the host asked for no requests.
    """

    def __init__(self, reason: Reason, detail: str, wait: float = 0) -> None:
        super().__init__(f"{reason} ({detail})" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.wait = wait
        self.attempts = 1
        """Number of requests made for the file, counted by `fetch`."""


def one_line(text: object, length: int = 160) -> str:
    """Return foreign text as one printable line of limited length, for a message."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return words if len(words) <= length else words[: length - 1] + "…"
