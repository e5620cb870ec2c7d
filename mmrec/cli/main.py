"""The command line: `lightning fit --config …`, and the commands around it under `mmrec`."""

from __future__ import annotations

import errno
import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence

from mmrec.cli.start import import_lightning, imports
from mmrec.errors import UserError

COMMANDS = (
    "prepare", "validate", "download", "compare", "explain", "search", "paper", "report", "dashboard", "sync",
)  # fmt: skip
ALTERNATIVES = (
    "Does not validate against any of", "Subtypes: ", "Errors:", "Given value", "Expected a path but",
    "Expected a <class 'NoneType'>",
)  # fmt: skip
"""How lines begin by which the config parser tells what else a value might have been."""
OVERVIEW = """\
mmrec prepare --config RUN.yaml    prepare the data and encode the items, without training
mmrec validate --config RUN.yaml   check the raw data, and write nothing
mmrec download DATASET | images    fetch the raw data
mmrec compare runs/DATASET         one table of all runs
mmrec report runs/DATASET          the same, curves, users and explanations as one HTML page
mmrec explain --ckpt RUN --user U  why a trained model recommends what it does; `mmrec explain evaluate` measures it
mmrec search SWEEP.yaml            find options on the validation split
mmrec paper table5 | all           the paper's tables and figures: trains what is missing, writes their files
mmrec dashboard RUNS               a W&B workspace for each dataset and a report for each table
mmrec sync RUNS                    send runs that were recorded offline to W&B
mmrec lightning ...                the command `lightning`, below; `mmrec fit|test|predict` is short for it
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command of `mmrec`, or one of `lightning` that has no namesake here."""
    args = list(sys.argv[1:] if args is None else args)
    if args and args[0] in COMMANDS:
        _run(_command, args)
    elif args and args[0] == "lightning":
        lightning(args[1:])
    else:
        if not args or args[0] in ("-h", "--help"):
            print(OVERVIEW)
        lightning(args)


def lightning(args: Sequence[str] | None = None) -> None:
    """Run `lightning fit | validate | test | predict`."""
    _run(_lightning, list(sys.argv[1:] if args is None else args))


def _command(args: list[str]) -> None:
    if args[0] == "download":
        from mmrec.cli.download import download

        download(args[1:])
    else:
        with imports():
            import_lightning()
            from mmrec.cli import commands
        getattr(commands, args[0])(args[1:])


def _lightning(args: list[str]) -> None:
    with imports():
        import_lightning()
        from mmrec.cli.lightning import run
    run(args)


def _run(command: Callable[[list[str]], None], args: list[str]) -> None:
    """Run a command; a user's mistake ends in one line and exit status 2."""
    sys.path.insert(0, "")  # classes of the user's own, named in a config, are looked for in the working folder too
    try:
        command(args)
    except KeyboardInterrupt:
        print("mmrec: interrupted; nothing half-written is kept, the same command starts or goes on", file=sys.stderr)
        sys.exit(130)
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
    if isinstance(error, ArgumentError):
        return f"{_in_one_line(error)}; --help names all options"
    # Lightning's words for a user's mistake, the second for a measure that no validation has made.
    if type(error).__name__ == "MisconfigurationException" or str(error).startswith("Early stopping conditioned on"):
        return " ".join(str(error).split())
    # The system names the file that is in the way; a full disk has none to name.
    if isinstance(error, OSError) and (error.filename or error.errno == errno.ENOSPC):
        return f"{error.filename or ''}: {error.strerror}".lstrip(": ")
    if type(error).__name__ == "OutOfMemoryError":
        return "the GPU's memory is full: lower data.batch_size, data.eval_batch_size or data.max_length"
    return None


def _in_one_line(error: ArgumentError) -> str:
    """Say what the config parser found wrong, without the alternatives that it tried beside the one that was meant."""
    lines = (line.strip().removeprefix("- ") for line in str(error).splitlines())
    return " ".join(line for line in lines if line and not line.startswith(ALTERNATIVES))
