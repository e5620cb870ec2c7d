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
    except UserError as error:
        print(f"mmrec: {error}", file=sys.stderr)
        sys.exit(2)
