"""Objects from the configuration that a run has saved, without the parser of the command line."""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast

from mmrec.errors import UserError

T = TypeVar("T")


def build(base: type[T], config: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> T:
    """Build an object from plain values, as `config.yaml` of a run holds them.

    A mapping with a `class_path` becomes an object of that class, one for a dataclass argument becomes the dataclass.

    Args:
        base: class of the object, where the config does not name a subclass of it.
        config: arguments by name, or `class_path` and `init_args`.
        given: further arguments.

    Raises:
        UserError: the class cannot be imported, or does not take an argument of the config.
    """
    cls = find_class(config["class_path"]) if "class_path" in config else base
    arguments = dict((config.get("init_args") or {}) if "class_path" in config else config)
    parameters = inspect.signature(cls).parameters
    hints = _hints(cls)
    arguments = {name: _build_argument(value, hints.get(name)) for name, value in arguments.items()}
    names_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    arguments |= given or {}
    unknown = [] if names_all else [name for name in arguments if name not in parameters]
    if unknown:
        raise UserError(f"{cls.__name__} has no argument {unknown[0]}: the run was made by another version of mmrec")
    built: T = cls(**arguments)
    return built


def find_class(path: str) -> Any:
    """Return a class by its full path.

    Raises:
        UserError: the class does not exist.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"the class {path} cannot be imported ({error})") from None


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls.__init__)
    except NameError:  # a class of the user's own whose annotations are imported for type checkers alone
        return {}


def _build_argument(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        return [_build_argument(one, _inner(hint)) for one in value]
    if not isinstance(value, Mapping):
        return value
    if "class_path" in value:
        return build(object, value)
    options = [option for option in _alternatives(hint) if is_dataclass(option)]
    return build(cast(type[Any], options[0]), value) if options else dict(value)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the hint alone."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _inner(hint: Any) -> Any:
    """Return the type of a list's elements, None where it is not known."""
    for option in _alternatives(hint):
        if typing.get_origin(option) is list:
            return typing.get_args(option)[0]
    return None
