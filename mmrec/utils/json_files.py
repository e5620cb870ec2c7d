"""Reading of JSON files with a check of their content, so that a damaged file ends in one line.

A shape describes the content: a type (`float` stands for any finite number, `int` excludes booleans), a tuple of
alternatives with None for null, a list of one shape for lists, `{str: shape}` for mappings with any keys, and
`{"key": shape}` for mappings in which each key is present, unless its shape allows None. Other keys are allowed. `Any`
stands for any value.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeAlias

from mmrec.errors import UserError

Shape: TypeAlias = Any
WORDS = {str: "a text", int: "a whole number", float: "a finite number", bool: "true or false", None: "null"}


def read_json(file: Path, shape: Shape, advice: str) -> Any:
    """Read a JSON file.

    Args:
        file: the file, in UTF-8.
        shape: description of its content, see this module.
        advice: what the user should do about a damaged file, for the message.

    Raises:
        UserError: the file cannot be read, is not valid JSON, or has another shape.
    """
    return _checked(_text(file, advice), shape, str(file), advice)


def read_json_lines(file: Path, shape: Shape, advice: str) -> list[Any]:
    """Read a file with one JSON value per line; see `read_json`. Messages name the line."""
    lines = _text(file, advice).splitlines()
    return [_checked(line, shape, f"{file}:{number}", advice) for number, line in enumerate(lines, 1) if line.strip()]


def mismatch(value: object, shape: Shape, place: str = "") -> str | None:
    """Return where and how a value differs from a shape, for example "metrics.mrr must be a finite number".

    Args:
        value: a decoded JSON value.
        shape: see this module.
        place: keys that lead to the value.
    """
    if isinstance(shape, tuple):
        first, *others = (mismatch(value, one, place) for one in shape)
        return first if None not in (first, *others) else None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place or 'it'} must be a list"
        found = (mismatch(one, shape[0], f"{place}[{number}]") for number, one in enumerate(value))
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{place or 'it'} must be a mapping"
        inner = dict.fromkeys(value, shape[str]) if str in shape else shape
        found = (mismatch(value.get(key), one, f"{place}.{key}".lstrip(".")) for key, one in inner.items())
    else:
        return None if _is(value, shape) else f"{place or 'it'} must be {WORDS[shape]}"
    return next((words for words in found if words is not None), None)


def unknown_key(value: object, shape: Shape, place: str = "") -> str | None:
    """Return the first key of a value that its shape lacks, for example "rows[0].colour is not a key here; ..."."""
    if isinstance(shape, tuple):
        return unknown_key(value, shape[0], place)
    if isinstance(shape, list) and isinstance(value, list):
        found = (unknown_key(one, shape[0], f"{place}[{number}]") for number, one in enumerate(value))
        return next((words for words in found if words is not None), None)
    if not isinstance(shape, dict) or not isinstance(value, dict):
        return None
    for key, inner in value.items():
        name = f"{place}.{key}".lstrip(".")
        if str not in shape and key not in shape:
            return f"{name} is not a key here; the keys are {', '.join(sorted(shape))}"
        if words := unknown_key(inner, shape.get(key, shape.get(str)), name):
            return words
    return None


def _is(value: object, shape: Any) -> bool:
    if shape is Any:
        return True
    if shape is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if shape is None:
        return value is None
    return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))


def _text(file: Path, advice: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); {advice}") from None
    except ValueError as error:  # not UTF-8
        raise UserError(f"{file}: not a text file in UTF-8 ({error}); {advice}") from None


def _checked(text: str, shape: Shape, place: str, advice: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not valid JSON ({error}); {advice}") from None
    if words := mismatch(value, shape):
        raise UserError(f"{place}: {words}; {advice}")
    return value
