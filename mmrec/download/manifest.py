"""`download.json`: where each file came from, and what did not arrive and why."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mmrec.download.failures import TransferError
from mmrec.download.transfer import Fetched
from mmrec.errors import UserError

FILE = "download.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """A file that was fetched.

    Args:
        url: as asked for, before redirects.
        bytes: as sent.
        sha256: as sent.
        etag: of the server.
        last_modified: of the server.
        attempts: requests made for it in the run that completed it.
        at: when it was completed, UTC.
        holds: files made of it, relative to the folder, with their bytes.
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
        """Make the entry of a file that has just arrived."""
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
        """Tell whether all its files are there, in their size."""
        paths = ((folder / name, size) for name, size in self.holds.items())
        return all(path.is_file() and path.stat().st_size == size for path, size in paths)


@dataclass(frozen=True)
class Failure:
    """An address that gave nothing usable; `reason` is the value of a `Reason`."""

    url: str
    reason: str
    detail: str
    attempts: int
    at: str

    @classmethod
    def of(cls, url: str, error: TransferError) -> Failure:
        """Make the record of a failure that has just happened."""
        return cls(url, str(error.reason), error.detail, error.attempts, _now())


@dataclass
class DownloadManifest:
    """All of a `download.json`.

    Args:
        files: by name of the file, or by id of the image.
        failed: likewise; one record for each address tried.
    """

    files: dict[str, Entry] = field(default_factory=dict)
    failed: dict[str, list[Failure]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> DownloadManifest:
        """Read the file; empty if there is none. Raises UserError if it is not one of ours."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format version {content['format_version']}, not {FORMAT_VERSION}")
            return cls(
                {name: Entry(**entry) for name, entry in content["files"].items()},
                {name: [Failure(**failure) for failure in failures] for name, failures in content["failed"].items()},
            )
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is damaged ({error}): remove it and run the command again") from None

    def save(self, path: Path) -> None:
        """Write the file whole, or leave the old one."""
        beside = path.with_name(f".{path.name}.new")
        content = {"format_version": FORMAT_VERSION, **asdict(self)}
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", errors="replace")
        os.replace(beside, path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
