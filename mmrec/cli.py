"""The command line: `lightning fit --config …`, and the commands around it under `mmrec`."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from mmrec.errors import UserError


def main(args: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake ends in one line and exit status 2."""
    args = list(sys.argv[1:] if args is None else args)
    sys.path.insert(0, "")  # classes of the user's own, named in a config, are looked for in the working folder too
    if not args or args[0] in ("-h", "--help"):
        print("mmrec prepare --config RUN.yaml   prepare the data and encode the items, without training")
        print("mmrec compare runs/DATASET        one table of all runs\n")
    try:
        if args and args[0] in ("prepare", "compare"):
            from mmrec import commands

            getattr(commands, args[0])(args[1:])
        else:
            from mmrec.lightning_cli import run

            run(args)
    except Exception as error:
        mistake = _users_mistake(error)
        if mistake is None:
            raise
        print(f"mmrec: {mistake}", file=sys.stderr)
        sys.exit(2)


def _users_mistake(error: BaseException) -> str | None:
    """Say in a line what the user can mend; None for what only we can.

    The config parser wraps the errors of constructors in its own, so the whole chain is searched for a UserError.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOSPC
    ):
        return f"{error.filename or ''}: {error.strerror}".lstrip(": ")
    if type(error).__name__ == "OutOfMemoryError":
        return "the GPU's memory is full: lower data.batch_size, data.eval_batch_size or data.max_length"
    return None
