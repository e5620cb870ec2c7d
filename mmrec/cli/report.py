"""`mmrec report`: all results as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.report.write import write_page


def report(args: Sequence[str]) -> None:
    """Write one HTML page of all results below a folder: tables, figures, curves, users with their explanations."""
    parser = ArgumentParser(prog="mmrec report", description=report.__doc__, exit_on_error=False)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs"), help="folder of runs or copied results")
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the page")
    parser.add_argument("--users", type=int, default=8, help="number of users shown per dataset, at most")
    options = parser.parse_args(list(args))
    write_page(options.folder, options.out, options.users)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB; open it in any browser")
