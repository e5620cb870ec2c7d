"""Files that appear whole: written under a temporary name in the same folder, forced to the disk, then renamed."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from mmrec.errors import UserError

HOST = re.sub(r"\W", "-", socket.gethostname())
TEMPORARY = re.compile(r"\..+\.(?P<host>[\w-]+)\.(?P<pid>\d+)\.tmp")
"""Name of a temporary file: the target's name, then the machine and the process that write it."""
FOREIGN_AGE = 86_400
"""Seconds after which a temporary file of another machine, whose processes cannot be seen here, counts as left over."""

LARGEST_YAML = 100_000
"""Values that a file of options may hold: far more than any does, far fewer than nested references can make."""

_swept: set[Path] = set()


def write_whole(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Write a file so that a reader never sees half of it, and an interruption leaves what was there before.

    Args:
        path: the file; its folder is created.
        content: the text, the bytes, or a function that writes the file whose path it is given.

    Raises:
        UserError: the file cannot be written, for example because the disk is full.
    """
    with replacing(path) as temporary:
        if isinstance(content, str):
            temporary.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            temporary.write_bytes(content)
        else:
            content(temporary)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path whose file replaces another one when the block ends without an exception.

    The first call for a folder also removes the temporary files that killed processes have left in it.

    Args:
        path: the file to replace; its folder is created.

    Raises:
        UserError: the file cannot be written, for example because the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except UserError:
        raise
    except Exception as error:
        # Polars raises its own exceptions for a full disk, with the system's error number in the message.
        if isinstance(error, OSError) or "os error" in str(error):
            raise UserError(f"{path}: cannot be written ({_reason(error)}); free some space and run again") from error
        raise


def _reason(error: Exception) -> str:
    """Return the system's words for an error, or the first line of its message."""
    return getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes from a folder; once per folder in each process.

    A file is left over if the process in its name has ended; a file of another machine, if it is older than a day.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError):  # if the folder cannot be listed, writing the file will raise
        for file in folder.iterdir():
            match = TEMPORARY.fullmatch(file.name)
            if match and _is_left_over(file, match["host"], int(match["pid"])):
                file.unlink(missing_ok=True)


def _is_left_over(file: Path, host: str, pid: int) -> bool:
    if host != HOST or sys.platform == "win32":  # where os.kill(pid, 0) would interrupt the process
        return time.time() - file.stat().st_mtime > FOREIGN_AGE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it belongs to another user
        return False
    return False


def hash_file(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_mapping(file: Path, holds: str) -> dict[str, Any]:
    """Read a YAML file of keys and their values.

    Args:
        file: the path of the file, which must be UTF-8.
        holds: what the keys are, for the message.

    Raises:
        UserError: the file cannot be read, is not valid YAML or has no keys; the message names file and line.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", error)
        raise UserError(f"{file}{place}: not valid YAML in UTF-8 ({problem})") from None
    if not isinstance(content, dict) or not content:
        raise UserError(f"{file}: must be a mapping of {holds}")
    if _count_values(content, {}) > LARGEST_YAML:
        raise UserError(f"{file}: holds more than {LARGEST_YAML:,} values when its references are written out")
    return content


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # the library has no annotations
    """YAML without repeated keys, of which the parser would silently take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return the mapping of a node."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} stands twice", key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else id(key))
        return super().construct_mapping(node, deep)


def _count_values(value: Any, counted: dict[int, int]) -> int:
    """Count the values of nested mappings and lists, those that references repeat each time."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in counted:
        inner = value.values() if isinstance(value, dict) else value
        counted[id(value)] = 1 + sum(_count_values(one, counted) for one in inner)
    return counted[id(value)]
