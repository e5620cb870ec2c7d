"""Images by a list of addresses, checked by decoding; a second run fetches only what is missing."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

from mmrec.data.prepare.images import readable
from mmrec.download.failures import Reason, TransferError, one_line
from mmrec.download.image_check import SUFFIXES, check_image
from mmrec.download.limits import ImageLimits
from mmrec.download.manifest import DownloadManifest, Entry, Failure
from mmrec.download.part import PartFile
from mmrec.download.progress import bars
from mmrec.download.session import Session, run
from mmrec.download.transfer import Expected, fetch
from mmrec.utils.lock import locked

MAX_ID_BYTES = 200
"""File systems allow 255 bytes for a name with its suffix."""
UNSAFE_ID = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]|^[.\s]|[.\s]$|^(con|prn|aux|nul|(com|lpt)\d)(\.|$)', re.IGNORECASE)
"""Separators, control characters, hidden names, and names that Windows reserves or shortens."""
SAVE_SECONDS = 30
"""Time between two saves of the manifest; a killed run forgets the failures since the last one."""


@dataclass(frozen=True)
class ImageSummary:
    """The result of a run.

    Args:
        folder: folder of the images.
        manifest: path of the list of fetched and failed images.
        total: number of different ids in the table.
        fetched: number of images that this run has fetched.
        present: number of images that were there before.
        failed: number of ids without an image, by the reason at the last of their addresses.
        unsafe: ids that cannot be file names; no image was fetched for them.
    """

    folder: Path
    manifest: Path
    total: int
    fetched: int
    present: int
    failed: dict[str, int]
    unsafe: tuple[str, ...]

    @property
    def failed_share(self) -> float:
        """The share of ids without an image."""
        return sum(self.failed.values()) / max(1, self.total)


def download_images(
    table: pl.DataFrame,
    folder: Path,
    limits: ImageLimits | None = None,
    retry_failed: bool = False,
    replace_broken: bool = False,
) -> ImageSummary:
    """Download one image for each id.

    Images are named `<id>.jpg`, `.png`, `.webp`, `.gif` or `.bmp` by their content. The manifest is
    `<folder>.download.json` next to the folder, so that the folder holds only images. An image that exists is kept.
    Addresses that returned 404 or 410 are not requested again by default; all other failures are tried by the next run.

    Args:
        table: columns `id` and `url`; of several rows with one id the later ones are fallbacks. A url may be null.
        folder: folder of the images; it is created.
        limits: bounds of transfers and images.
        retry_failed: whether images that were gone are requested again.
        replace_broken: whether an image that exists but does not open counts as missing.

    Returns:
        the summary, which also counts the images that failed.

    Raises:
        UserError: the manifest is damaged.
    """
    folder = folder.absolute()
    path = folder.with_name(f"{folder.name}.download.json")
    with locked(folder):
        folder.mkdir(parents=True, exist_ok=True)
        work = _Run(folder, path, limits or ImageLimits(), retry_failed)
        wanted = _by_id(table)
        for name in wanted:
            if _unsafe(name):
                work.fail(name, [Failure.of("", TransferError(Reason.UNSAFE_ID, one_line(repr(name))))])
        here = {file.stem for file in _images_in(folder) if not (replace_broken and _broken(file, wanted))}
        work.forget(here)
        todo = {name: urls for name, urls in wanted.items() if not _unsafe(name) and name not in here}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # such images are refused and counted
            work.start(todo)
        return ImageSummary(
            folder=folder,
            manifest=path,
            total=len(wanted),
            fetched=work.fetched,
            present=len(here & set(wanted)),
            failed=dict(Counter(work.failed.values()).most_common()),
            unsafe=tuple(name for name in wanted if _unsafe(name)),
        )


def _images_in(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix.lower() in {".jpeg", *SUFFIXES.values()}]


def _broken(file: Path, wanted: Collection[str]) -> bool:
    return file.stem in wanted and readable(str(file)) is False


def _by_id(table: pl.DataFrame) -> dict[str, list[str]]:
    """Return the addresses of each id, in the order of the table."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for name, url in table.select(pl.col("id", "url").cast(pl.String)).iter_rows():
        urls = wanted[name or ""]
        if url and url.strip() and url.strip() not in urls:
            urls.append(url.strip())
    return wanted


def _unsafe(name: str) -> bool:
    return not name or len(name.encode("utf-8", "replace")) > MAX_ID_BYTES or UNSAFE_ID.search(name) is not None


class _Run:
    """The state of one run over many images."""

    def __init__(self, folder: Path, manifest: Path, limits: ImageLimits, retry_failed: bool) -> None:
        self.fetched = 0
        self.failed: dict[str, str] = {}
        self._folder = folder
        self._parts = folder / ".partial"
        self._path = manifest
        self._manifest = DownloadManifest.load(manifest)
        self._limits = limits
        self._retry_failed = retry_failed
        self._saved_at = 0.0

    def start(self, todo: dict[str, list[str]]) -> None:
        """Fetch all images; what has arrived is kept and recorded however the run ends."""
        shutil.rmtree(self._parts, ignore_errors=True)  # left by a killed run
        self._parts.mkdir()
        try:
            with bars(counting=True) as progress:
                task = progress.add_task(f"images to {self._folder.name}", total=len(todo))
                run(self._fetch_all(todo, lambda: progress.advance(task)))
        finally:
            shutil.rmtree(self._parts, ignore_errors=True)
            self._manifest.save(self._path)

    def forget(self, present: set[str]) -> None:
        """Drop earlier failures of ids that have an image now."""
        for name in present & set(self._manifest.failed):
            del self._manifest.failed[name]

    def fail(self, name: str, failures: list[Failure]) -> None:
        """Record why an id has no image."""
        self._manifest.failed[name] = failures
        self.failed[name] = failures[-1].reason

    async def _fetch_all(self, todo: dict[str, list[str]], advance: Callable[[], None]) -> None:
        self._saved_at = asyncio.get_running_loop().time()
        async with Session(self._limits) as session:
            queues: dict[str, deque[tuple[str, list[str]]]] = defaultdict(deque)
            for name, urls in todo.items():
                queues[_host_of(session, urls)].append((name, urls))
            try:
                # One queue per host, so that a slow host does not delay the others.
                async with asyncio.TaskGroup() as group:
                    for queue in queues.values():
                        for _ in range(min(self._limits.per_host, len(queue))):
                            group.create_task(self._work(session, queue, advance))
            except ExceptionGroup as errors:
                raise errors.exceptions[
                    0
                ] from None  # for example a full disk, which the command line explains in one line

    async def _work(self, session: Session, queue: deque[tuple[str, list[str]]], advance: Callable[[], None]) -> None:
        while queue:
            name, urls = queue.popleft()
            await self._fetch_one(session, name, urls)
            advance()
            clock = asyncio.get_running_loop().time()
            if clock > self._saved_at + SAVE_SECONDS:
                self._manifest.save(self._path)
                self._saved_at = clock

    async def _fetch_one(self, session: Session, name: str, urls: list[str]) -> None:
        earlier = {failure.url: failure for failure in self._manifest.failed.get(name, ())}
        failures = []
        for url in urls:
            before = earlier.get(url)
            if before is not None and before.reason == Reason.GONE and not self._retry_failed:
                failures.append(before)
                continue
            part = PartFile(self._parts / name, url)
            try:
                fetched = await fetch(session, part, Expected())
                suffix = await asyncio.to_thread(check_image, part.path, self._limits)
            except TransferError as error:
                failures.append(Failure.of(url, error))
                part.discard()
            else:
                target = self._folder / f"{name}{suffix}"
                os.replace(part.path, target)
                part.discard()
                for ending in {".jpeg", *SUFFIXES.values()} - {suffix}:  # a broken image that this one replaces
                    target.with_name(f"{name}{ending}").unlink(missing_ok=True)
                self._manifest.files[name] = Entry.of(fetched, {f"{name}{suffix}": fetched.bytes})
                self._manifest.failed.pop(name, None)
                self.fetched += 1
                return
        self.fail(name, failures or [Failure.of("", TransferError(Reason.NO_ADDRESS, "the table has none"))])


def _host_of(session: Session, urls: list[str]) -> str:
    try:
        return session.host(urls[0]).name if urls else ""
    except TransferError:
        return ""
