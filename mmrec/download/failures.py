"""Why a transfer failed, and which failures are worth another attempt."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong, in words that a summary can count by."""

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
"""May pass: tried again within a run."""

UNANSWERED = TRANSIENT - {Reason.TRUNCATED, Reason.CHANGED}
"""The host as a whole, not one file, is in doubt."""


class TransferError(Exception):
    """A file did not arrive.

    Args:
        reason: what is wrong.
        detail: in one line, with the figures.
        wait: seconds for which the host asked not to be called.
    """

    def __init__(self, reason: Reason, detail: str, wait: float = 0) -> None:
        super().__init__(f"{reason} ({detail})" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.wait = wait
        self.attempts = 1
        """Requests made for the file; `fetch` counts them."""


def one_line(text: object, length: int = 160) -> str:
    """Return a foreign text fit for a message: one line, printable, not too long."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return words if len(words) <= length else words[: length - 1] + "…"
