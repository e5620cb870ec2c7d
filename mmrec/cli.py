"""The command line: `lightning fit --config …`, and the commands around it under `mmrec`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mmrec.errors import UserError


def main(args: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake ends in one line and exit status 2."""
    args = list(sys.argv[1:] if args is None else args)
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


def _users_mistake(error: BaseException | None) -> UserError | None:
    """Find the UserError behind an exception: the config parser wraps those of constructors in its own."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
