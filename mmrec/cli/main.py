"""The console scripts: `lightning fit --config …`, and the commands of `mmrec`."""

from __future__ import annotations

import errno
import gc
import importlib
import inspect
import os
import re
import signal
import sys
from argparse import ArgumentError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

import mmrec
from mmrec.cli.renamed import refuse_old_options
from mmrec.errors import find_mistake
from mmrec.utils.suggest import did_you_mean
from mmrec.utils.text import visible
from mmrec.utils.threads import sleep_at_barriers

COMMANDS = (
    "demo", "config", "prepare", "validate", "download", "compare", "explain", "search", "paper", "report", "dashboard",
    "sync", "export", "items", "serve",
)  # fmt: skip
"""Commands of `mmrec`; each is the function of that name in a module of that name here."""
ALTERNATIVES = (
    "Does not validate against any of", "Subtypes: ", "Errors:", "Given value type", "Given value: NestedArg",
    "Expected a path but", "Expected a <class 'NoneType'>",
)  # fmt: skip
"""How lines begin in which the parser lists what else a value might have been."""
OPTION_OF_CLASS = re.compile(
    r"""key "(?P<section>model|data\.\w+)": Problem with given class_path '(?P<path>[\w.]*?(?P<name>\w+))': """
    r"""Option '(?P<option>\w+)"""
)
"""How the parser refuses an option that a class does not have."""
UNKNOWN = re.compile(r"unrecognized arguments: (?P<name>--[\w.]+)")
"""How the parser refuses an option that a command does not have."""
TRUTH_VALUE = re.compile(
    r"""(?:Unable to load config '(?P<file>[^']+)' .*)?"""
    r"""key "(?P<key>\w+)": [^"]*<class 'str'>[^"]*(?:Got|Given) value: (?:True|False)"""
)
"""How the parser refuses a truth value in place of a name, such as a column that is called no."""
OVERVIEW = """\
mmrec demo                         all of it on a small embedded shop, in about two minutes
mmrec config [NAME]                the shipped configurations, or one of them to copy
mmrec prepare --data NAME          prepare the data and encode the items, without training
mmrec validate --data NAME         check the raw data, and write nothing
mmrec download DATASET | images    fetch the raw data
mmrec compare runs/DATASET         one table of all runs
mmrec report runs/DATASET          the same with curves, users and explanations, as one HTML page
mmrec explain --ckpt RUN --user U  why a trained model recommends what it does; `mmrec explain evaluate` measures it
mmrec items add RUN FILE           new items for a trained run, by their text and images, without training
mmrec search SWEEP.yaml            find options on the validation split
mmrec paper table5 | all           the tables and figures of the paper: trains what is missing, writes their files
mmrec export RUN --to BUNDLE       a folder that answers without raw data, here or in other programs
mmrec serve BUNDLE                 recommendations over HTTP, with a page to try them
mmrec dashboard RUNS               a W&B workspace for each dataset and a report for each table
mmrec sync RUNS                    send runs that were recorded offline to W&B
mmrec lightning ...                the command `lightning`, below; `mmrec fit|test|predict` is short for it
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command of `mmrec`, or one of `lightning` that has no namesake here."""
    args = list(sys.argv[1:] if args is None else args)
    if args and args[0] in COMMANDS:
        _run(lambda rest: getattr(_load(args[0]), args[0])(rest), args[1:])
    elif args and args[0] == "--version":
        print(mmrec.__version__)
    elif args and args[0] == "lightning":
        lightning(args[1:])
    else:
        if not args or args[0] in ("-h", "--help"):
            print(OVERVIEW)
        lightning(args)


def lightning(args: Sequence[str] | None = None) -> None:
    """Run `lightning fit | validate | test | predict`."""
    _run(lambda rest: _load("lightning").run(rest), list(sys.argv[1:] if args is None else args))


class Stopped(BaseException):
    """A signal asked the process to end. Not an Exception, so that nothing on the way takes it for a fault."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def _run(command: Callable[[list[str]], Any], args: list[str]) -> None:
    """Run a command; a user's mistake ends in one line and exit status 2, a signal in one line and 128 + signal."""
    if "" not in sys.path:
        sys.path.append("")  # a config may name classes of the working folder; they never hide installed packages
    sleep_at_barriers()
    try:
        with _stoppable():
            refuse_old_options(args)
            command(args)
    except (KeyboardInterrupt, Stopped) as stop:
        signum = stop.signum if isinstance(stop, Stopped) else signal.SIGINT
        word = "interrupted" if signum == signal.SIGINT else "asked to end"
        print(f"mmrec: {word}; nothing half-written is kept, the same command starts or goes on", file=sys.stderr)
        sys.exit(128 + signum)
    except BrokenPipeError:  # the reader has ended, as in `mmrec config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        mistake = _users_mistake(error)
        if mistake is None:
            raise
        print(f"mmrec: {visible(mistake)}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `Stopped`: Lightning ends with status 1 and 0 for them, and without a word."""

    def stop(signum: int, frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_IGN)  # once is enough: the second one would interrupt the tidying up
        raise Stopped(signum)

    try:
        before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, which alone receives signals
        yield
        return
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _load(module: str) -> ModuleType:
    """Import a module of the command line without Python's garbage collector.

    What an import makes stays. The collector would look through 400,000 objects again and again, a third of the time to
    start. Where PyTorch is already imported this is not the first command of its process, and nothing is frozen.
    """
    first = "torch" not in sys.modules
    gc.disable()
    try:
        return importlib.import_module(f"mmrec.cli.{module}")
    finally:
        gc.enable()
        if first:
            gc.freeze()


def _users_mistake(error: BaseException) -> str | None:
    """Return one line on what the user can mend; None for a fault of the program."""
    if (mistake := find_mistake(error)) is not None:
        return str(mistake)
    if isinstance(error, ArgumentError):
        return _wrong_argument(error)
    # Lightning's words for a user's mistake, the second for a metric that no validation has logged.
    if type(error).__name__ == "MisconfigurationException" or str(error).startswith("Early stopping conditioned on"):
        return " ".join(str(error).split())
    # The system names the file that is in the way; a full disk has none to name.
    if isinstance(error, OSError) and (error.filename or error.errno == errno.ENOSPC):
        return f"{error.filename or ''}: {error.strerror}".lstrip(": ")
    if type(error).__name__ == "OutOfMemoryError":
        return "the GPU's memory is full: lower data.batch_size, data.eval_batch_size or data.max_length"
    return None


def _wrong_argument(error: ArgumentError) -> str:
    """Return what is wrong with an argument, the name that was meant, and where all names are listed."""
    truth = TRUTH_VALUE.search(" ".join(str(error).split()))
    if truth:
        return (
            f"{truth['file'] or 'the configuration'}: {truth['key']} is a truth value, as YAML reads no, yes, off "
            f'and on; write {truth["key"]}: "no" with quotation marks where it is a name'
        )
    message = _in_one_line(error)
    option = OPTION_OF_CLASS.search(message)
    if option:
        from mmrec.training.instantiate import find_class

        known = inspect.signature(find_class(option["path"])).parameters
        meant = did_you_mean(option["option"], known)
        return f"{message}{meant}; lightning fit --{option['section']}.help {option['name']} names all options"
    unknown = UNKNOWN.search(message)
    if unknown and "mmrec.cli.lightning" in sys.modules:
        names = sys.modules["mmrec.cli.lightning"].config_parser().get_defaults().keys()
        message += did_you_mean(unknown["name"], (f"--{name}" for name in names))
    return f"{message}; --help names all options"


def _in_one_line(error: ArgumentError) -> str:
    """Return what the config parser found wrong, without the alternatives that it tried besides the one meant."""
    lines = (line.strip().removeprefix("- ") for line in str(error).splitlines())
    return " ".join(line for line in lines if line and not line.startswith(ALTERNATIVES))
