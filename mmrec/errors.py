"""The exception that a user's mistake raises, and the checks that raise it for an option."""


class UserError(Exception):
    """Bad input, a missing file or a wrong option.

    The message is one line that names the file, line, key or option and says what to do. The command line
    prints it without a traceback and exits with status 2.
    """


class Diverged(UserError):
    """Training has come to numbers that are not finite."""


def require_folder_name(name: str, option: str) -> None:
    """Raise a UserError unless a name can be that of one folder."""
    fits = name and "/" not in name and name not in (".", "..")
    require(bool(fits), option, repr(name), "fit for a folder")


def require(fits: bool, option: str, value: object, words: str) -> None:
    """Raise a UserError unless a value fits: "<option> must be <words>, but is <value>"."""
    if not fits:
        raise UserError(f"{option} must be {words}, but is {value}")
