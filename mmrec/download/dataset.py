"""The archives of a dataset: fetched, checked, unpacked, and put where its reader looks for them."""

from __future__ import annotations

import filecmp
import gzip
import os
import shutil
import zlib
from functools import partial
from pathlib import Path

from rich.progress import Progress, TaskID

from mmrec.download.addresses import Addresses, RemoteFile
from mmrec.download.failures import Reason, TransferError, one_line
from mmrec.download.limits import Limits
from mmrec.download.manifest import FILE, DownloadManifest, Entry, Failure
from mmrec.download.part import PartFile
from mmrec.download.progress import bars
from mmrec.download.session import Session, run
from mmrec.download.transfer import Fetched, fetch
from mmrec.download.unpack import unpack
from mmrec.errors import UserError
from mmrec.utils.lock import locked

CHUNK = 1 << 20
MAGIC = {".gz": b"\x1f\x8b", ".zip": b"PK"}


def download_dataset(
    addresses: Addresses, name: str, root: Path, category: str | None = None, limits: Limits | None = None
) -> Path:
    """Download a dataset into its folder under `root` unless it is there, and return that folder.

    Work in progress is kept in `<root>/.<name>.partial/`, where an interrupted run is continued; only whole, checked
    files come to `<root>/<name>/`, with `download.json`. A second process waits for the first.

    Args:
        addresses: the datasets that can be downloaded.
        name: name of the dataset.
        root: folder with one subfolder per dataset.
        category: category of an Amazon release.
        limits: bounds of the transfers.

    Raises:
        UserError: the name or category is unknown, a file did not arrive, or a file of the user's own has its name.
    """
    dataset = addresses.find(name)
    files = dataset.of_category(category)
    folder = root / dataset.name
    work = root / f".{dataset.name}.partial"
    with locked(folder):
        manifest = DownloadManifest.load(folder / FILE)
        missing = [file for file in files if not _present(file, manifest, folder)]
        if missing:
            work.mkdir(exist_ok=True)
            run(_download(missing, work, folder, manifest, limits or Limits(), addresses))
            shutil.rmtree(work)
    return folder


def _present(file: RemoteFile, manifest: DownloadManifest, folder: Path) -> bool:
    entry = manifest.files.get(file.name)
    pinned = file.expected.sha256
    return entry is not None and pinned in (None, entry.sha256) and entry.intact(folder)


async def _download(
    files: list[RemoteFile], work: Path, folder: Path, manifest: DownloadManifest, limits: Limits, addresses: Addresses
) -> None:
    with bars(counting=False) as progress:
        async with Session(limits) as session:
            for file in files:
                try:
                    part, fetched = await _fetch(session, file, work, progress)
                    _take(file, part, fetched, work, folder, manifest)
                except _FailedError as error:
                    manifest.failed[file.name] = error.failures
                    manifest.save((folder if folder.is_dir() else work) / FILE)
                    tried = "; ".join(f"{each.url}: {each.reason} ({each.detail})" for each in error.failures)
                    raise UserError(
                        f"{tried}. Run the command again to continue; if an address has moved, change {file.key} "
                        f"in {addresses.path}"
                    ) from None


class _FailedError(Exception):
    """None of the addresses of a file gave the file."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__()
        self.failures = failures


async def _fetch(session: Session, file: RemoteFile, work: Path, progress: Progress) -> tuple[PartFile, Fetched]:
    """Try the address and the mirrors in turn; each has its own part file."""
    task = progress.add_task(file.name, total=file.expected.bytes)
    failures = []
    for place, url in enumerate(file.urls):
        part = PartFile(work / (f"{file.name}.{place}" if place else file.name), url)
        try:
            fetched = await fetch(session, part, file.expected, partial(_show, progress, task))
            _check_content(part, file.name, fetched)
            return part, fetched
        except TransferError as error:
            failures.append(Failure.of(url, error))
    raise _FailedError(failures)


def _show(progress: Progress, task: TaskID, size: int, total: int | None) -> None:
    progress.update(task, completed=size, total=total)


def _check_content(part: PartFile, name: str, fetched: Fetched) -> None:
    """Check that the content has the format of the name's ending. Raises TransferError and discards the file if not."""
    magic = MAGIC.get(Path(name).suffix, b"")
    try:
        with part.path.open("rb") as file:
            if file.read(len(magic)) != magic:
                raise TransferError(Reason.DAMAGED, f"it does not begin as a {Path(name).suffix} file does")
        if (
            name.endswith(".gz") and not fetched.announced
        ):  # the end of such a transfer does not show that the file is whole
            with gzip.open(part.path) as stream:
                while stream.read(CHUNK):
                    pass
    except (TransferError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        part.discard()
        if isinstance(error, TransferError):
            raise
        raise TransferError(Reason.DAMAGED, one_line(error)) from None


def _take(
    file: RemoteFile, part: PartFile, fetched: Fetched, work: Path, folder: Path, manifest: DownloadManifest
) -> None:
    """Move a file that has arrived into the folder, and enter it in the manifest."""
    ready = work / "ready"
    shutil.rmtree(ready, ignore_errors=True)  # left by a killed run
    if file.unpack:
        try:
            holds = unpack(part.path, ready)
        except TransferError as error:
            part.discard()
            raise _FailedError([Failure.of(part.url, error)]) from None
        sources = {name: ready / name for name in holds}
    else:
        holds = {file.name: fetched.bytes}
        sources = {file.name: part.path}
    known = {name for entry in manifest.files.values() for name in entry.holds}
    for name, source in sources.items():
        path = folder / name
        if path.exists() and name not in known and not filecmp.cmp(path, source, shallow=False):
            raise UserError(f"{path} is already there and was not downloaded by this command: move it, or use --to")
    manifest.files[file.name] = Entry.of(fetched, holds)
    manifest.failed.pop(file.name, None)
    if file.unpack and not folder.exists():
        manifest.save(ready / FILE)
        os.rename(ready, folder)  # all at once: no reader sees half a dataset
    else:
        for name, source in sources.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, folder / name)
        manifest.save(folder / FILE)
    part.discard()
