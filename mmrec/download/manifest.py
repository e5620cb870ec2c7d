"""`download.json`: the origin of each file, and the failures with their reasons."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mmrec.download.failures import TransferError
from mmrec.download.transfer import Fetched
from mmrec.errors import UserError
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json

FILE = "download.json"
FORMAT_VERSION = 1
REMEDY = "remove it and run the command again"


@dataclass(frozen=True)
class Entry:
    """A file that was fetched.

    Args:
        url: address before redirects.
        bytes: size as sent.
        sha256: checksum of the bytes as sent.
        etag: tag given by the server.
        last_modified: date given by the server.
        attempts: number of requests in the run that completed it.
        at: time of completion, UTC.
        holds: files made of it, relative to the folder, with their sizes in bytes.
    """

    url: str
    bytes: int
    sha256: str
    etag: str | None
    last_modified: str | None
    attempts: int
    at: str
    holds: dict[str, int]

    @classmethod
    def of(cls, fetched: Fetched, holds: dict[str, int]) -> Entry:
        """Return the entry of a file that has just arrived."""
        return cls(
            url=fetched.url,
            bytes=fetched.bytes,
            sha256=fetched.sha256,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            attempts=fetched.attempts,
            at=_now(),
            holds=holds,
        )

    def intact(self, folder: Path) -> bool:
        """Return whether all its files exist in their sizes."""
        paths = ((folder / name, size) for name, size in self.holds.items())
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)


@dataclass(frozen=True)
class Failure:
    """A failed request of an address; `reason` is the value of a `Reason`."""

    url: str
    reason: str
    detail: str
    attempts: int
    at: str

    @classmethod
    def of(cls, url: str, error: TransferError) -> Failure:
        """Return the record of a failure that has just happened."""
        return cls(url, str(error.reason), error.detail, error.attempts, _now())


@dataclass
class DownloadManifest:
    """The content of a `download.json`.

    Args:
        files: entries by name of the file, or by id of the image.
        failed: failures by name or id, one per address that was tried.
    """

    files: dict[str, Entry] = field(default_factory=dict)
    failed: dict[str, list[Failure]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> DownloadManifest:
        """Return the content of a file, empty if it does not exist. Raises UserError if the file is damaged."""
        if not path.exists():
            return cls()
        content = read_json(path, {}, REMEDY)
        try:
            if content["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format version {content['format_version']}, not {FORMAT_VERSION}")
            return cls(
                {name: Entry(**entry) for name, entry in content["files"].items()},
                {name: [Failure(**failure) for failure in failures] for name, failures in content["failed"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is damaged ({error}): {REMEDY}") from None

    def save(self, path: Path) -> None:
        """Write the file, or leave the old one if that fails."""
        content = json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"
        write_whole(path, content.encode(errors="replace"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
