"""A file that has partly arrived: its first bytes, and the tag by which a server recognises the same file."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from mmrec.download.failures import Reason, TransferError

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)$")


@dataclass(frozen=True)
class Origin:
    """The server's description of the file whose first bytes have arrived."""

    url: str
    etag: str | None
    last_modified: str | None
    total: int | None
    """Size of the whole file in bytes; None if not announced."""

    @property
    def validator(self) -> str | None:
        """The value for If-Range: a strong ETag, else the date; None if neither can show that a file has changed."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class PartFile:
    """`<name>.part`, and `<name>.part.json` with its `Origin`.

    Args:
        target: path of the whole file, which neither of the two files ever has.
        url: address of the file; a part from another address is not continued.
    """

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")
        self.url = url

    @property
    def size(self) -> int:
        """Number of bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> Origin | None:
        """The origin of these bytes; None where they cannot be continued."""
        try:
            origin = Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return origin if origin.url == self.url else None

    @property
    def complete(self) -> bool:
        """Whether all announced bytes have arrived."""
        return self.origin is not None and self.path.exists() and self.origin.total == self.size

    def discard(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def request_headers(self) -> dict[str, str]:
        """Return the headers that request the rest; empty if the file must be fetched from its start."""
        origin = self.origin
        if origin is None or origin.validator is None or not self.size or (origin.total or self.size + 1) <= self.size:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": origin.validator}

    def begin(self, response: httpx.Response) -> Origin:
        """Prepare the file for a response's body to be appended, and return its origin.

        Raises:
            TransferError: the server sends a part that does not continue these bytes, which are then discarded.
        """
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            return self._continue(response)
        length = response.headers.get("content-length")
        total = None if length is None else int(length)
        self.discard()
        self.path.touch()
        origin = Origin(self.url, response.headers.get("etag"), response.headers.get("last-modified"), total)
        # The bytes of another file are removed before the note names the origin of those that follow.
        new = self._note.with_name(self._note.name + ".new")
        new.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        os.replace(new, self._note)
        return origin

    def _continue(self, response: httpx.Response) -> Origin:
        origin, found = self.origin, CONTENT_RANGE.match(response.headers.get("content-range", ""))
        start, total = (int(found[1]), found[2]) if found else (-1, "*")
        same = origin is not None and start == self.size
        if origin is not None:  # a server may honour Range and ignore If-Range
            same = same and (origin.total is None or total in ("*", str(origin.total)))
            for name, before in (("etag", origin.etag), ("last-modified", origin.last_modified)):
                same = same and response.headers.get(name, before) == before
        if origin is None or not same:
            self.discard()
            raise TransferError(Reason.CHANGED, "the server's part does not continue what has arrived")
        return (
            origin
            if origin.total is not None or total == "*"
            else Origin(origin.url, origin.etag, origin.last_modified, int(total))
        )
