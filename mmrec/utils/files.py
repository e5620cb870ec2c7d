"""Files that appear whole, written beside and then renamed, and files of options that a user may have written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from mmrec.errors import UserError


def write_whole(path: Path, content: str | Callable[[Path], object]) -> None:
    """Write a file so that a reader never sees half of it, and an interruption leaves what was there before.

    Args:
        path: the file; its folder is made.
        content: the text, or what writes the file it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if isinstance(content, str):
            beside.write_text(content, encoding="utf-8")
        else:
            content(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_mapping(file: Path, holds: str) -> dict[str, Any]:
    """Read a YAML file of keys and their values.

    Args:
        file: in UTF-8.
        holds: what the keys are, for the message.

    Raises:
        UserError: the file cannot be read, is no YAML or has no keys; the message names file and line.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", error)
        raise UserError(f"{file}{place}: not valid YAML in UTF-8 ({problem})") from None
    if not isinstance(content, dict) or not content:
        raise UserError(f"{file}: must be a mapping of {holds}")
    return content
