"""Zip archives from the network, unpacked with the checks that a hostile archive needs."""

from __future__ import annotations

import errno
import re
import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmrec.download.failures import Reason, TransferError, one_line

CHUNK = 1 << 20
CLUTTER = "__MACOSX"
"""Folder that the macOS archiver adds."""
MAX_NAME_BYTES = 250
"""File systems allow 255 for each part of a path."""
UNSAFE_NAME = re.compile(r'[\x00-\x1f\\:*?"<>|]')
"""Control characters, Windows' separators and drive letters, and characters its file systems do not allow."""


@dataclass(frozen=True)
class UnpackLimits:
    """Bounds far above those of an honest archive.

    Args:
        members: largest number of files; MovieLens archives hold about ten.
        total_bytes: largest unpacked size; that of the largest MovieLens archive is about 1 GB.
        ratio: largest ratio of the unpacked size to the archive's; ratings as text reach 4 to 6, a bomb 1000 and more.
    """

    members: int = 10_000
    total_bytes: int = 20 << 30
    ratio: float = 100


def unpack(archive: Path, folder: Path, limits: UnpackLimits | None = None) -> dict[str, int]:
    """Unpack a zip archive into an empty folder, without a single top folder that holds everything.

    Files are written only after the whole directory of the archive has been checked.

    Args:
        archive: path of the archive.
        folder: folder to unpack into; its content after an error is useless.
        limits: bounds of the archive.

    Returns:
        the relative paths of the files, with their sizes in bytes.

    Raises:
        TransferError: the archive is damaged, encrypted or too large, or a member would lie outside the folder.
    """
    limits = limits or UnpackLimits()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if not info.filename.startswith(CLUTTER + "/")]
            _check_sizes(members, archive.stat().st_size, limits)
            targets = _targets(members)
            return {str(path): _write(opened, info, folder / path) for path, info in targets.items()}
    except TransferError:
        raise
    except Exception as error:  # zipfile and its decoders raise nearly anything on malformed bytes, OSError too
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # for example a full disk, which is not the archive's fault
        raise TransferError(Reason.DAMAGED, one_line(error) or type(error).__name__) from None


def _check_sizes(members: list[zipfile.ZipInfo], packed: int, limits: UnpackLimits) -> None:
    if len(members) > limits.members:
        raise TransferError(Reason.DAMAGED, f"{len(members):,} members, more than {limits.members:,}")
    total = sum(info.file_size for info in members)
    if total > limits.total_bytes:
        raise TransferError(Reason.TOO_LARGE, f"unpacks to {total:,} bytes, more than {limits.total_bytes:,}")
    # Of the archive as a whole: the members of a bomb may share the same packed bytes.
    if total > limits.ratio * packed:
        raise TransferError(Reason.TOO_LARGE, f"unpacks to more than {limits.ratio:g} times its size")


def _targets(members: list[zipfile.ZipInfo]) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Return each file's path without the common first folder. Raises TransferError for names and kinds not allowed."""
    files = {_safe_path(info): info for info in members if not info.is_dir()}
    if not files:
        raise TransferError(Reason.DAMAGED, "holds no files")
    if len({path.parts[0] for path in files}) == 1 and all(len(path.parts) > 1 for path in files):
        files = {path.relative_to(path.parts[0]): info for path, info in files.items()}
    names = {str(path).casefold() for path in files}
    nested = any(str(parent).casefold() in names for path in files for parent in path.parents)
    if nested or len(names) < sum(not info.is_dir() for info in members):
        raise TransferError(Reason.DAMAGED, "holds two files of the same name")
    return files


def _safe_path(info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.orig_filename  # zipfile cuts `filename` off at a NUL
    parts = name.split("/")
    if (
        len(name.encode()) > MAX_NAME_BYTES
        or UNSAFE_NAME.search(name)
        or any(part in ("", ".", "..") or part != part.strip(" ") for part in parts)
    ):
        raise TransferError(Reason.DAMAGED, f"a member is named {one_line(name)!r}, which is not a safe path")
    if info.flag_bits & 1:
        raise TransferError(Reason.DAMAGED, f"{one_line(name)} is encrypted")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise TransferError(Reason.DAMAGED, f"{one_line(name)} is a link or a device, not a file")
    return PurePosixPath(name)


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> int:
    """Write one member and return its bytes; zipfile stops at the declared size and then compares the checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, CHUNK)
        if file.tell() != info.file_size:
            raise TransferError(Reason.DAMAGED, f"{one_line(info.filename)} is shorter than declared")
        return file.tell()
