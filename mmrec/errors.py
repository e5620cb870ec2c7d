"""The exceptions that a user's mistake raises, and the checks of an argument."""

from __future__ import annotations

from typing import Any, get_args


class UserError(Exception):
    """Bad input, a missing file or a wrong option.

    The message is one line that names the file, line, key or option and says what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class Diverged(UserError):
    """Training has produced numbers that are not finite."""


class InvalidArgument(ValueError):
    """An argument has a value that its class or function does not accept.

    The message names the argument as Python knows it. The command line adds the key of the configuration.

    Args:
        argument: name of the argument, for example "lr".
        message: one line that begins with the name and says what is accepted.
    """

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message)
        self.argument = argument


class UnknownItem(InvalidArgument):
    """An argument names an item that is not in the catalogue."""


def find_mistake(error: BaseException) -> UserError | InvalidArgument | None:
    """Return the user's mistake that led to an error, None if there is none.

    The config parser wraps the errors of constructors in its own, so the whole chain of causes is searched.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError | InvalidArgument):
        cause = cause.__cause__ or cause.__context__
    return cause


def require(fits: bool, argument: str, value: object, words: str) -> None:
    """Raise InvalidArgument unless a value fits: "<argument> must be <words>, but is <value>"."""
    if not fits:
        raise InvalidArgument(argument, f"{argument} must be {words}, but is {value}")


def require_folder_name(name: str, argument: str) -> None:
    """Raise InvalidArgument unless a name is valid for a single folder."""
    fits = name and "/" not in name and name not in (".", "..")
    require(bool(fits), argument, repr(name), "a valid folder name")


def require_whole_number(argument: str, value: object, at_least: int, at_most: int | None = None) -> None:
    """Raise InvalidArgument unless a value is an integer within bounds; null and true are not integers.

    Args:
        argument: name of the argument.
        value: the value that was given.
        at_least: smallest value accepted.
        at_most: largest value accepted; None for no bound.
    """
    bounds = f"of at least {at_least:,}" if at_most is None else f"from {at_least:,} to {at_most:,}"
    fits = isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= (at_most or value)
    require(fits, argument, value, f"a whole number {bounds}")


def require_choice(argument: str, value: object, kind: Any) -> None:
    """Raise InvalidArgument unless a value is one of those of a `Literal`.

    Args:
        argument: name of the argument.
        value: the value that was given.
        kind: the `Literal` type that lists the accepted values.
    """
    choices = get_args(kind)
    require(value in choices, argument, value, f"one of {', '.join(choices)}")
