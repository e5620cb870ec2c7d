"""`mmrec paper`: the paper's tables and figures."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser
from rich import box
from rich.console import Console
from rich.table import Table

from mmrec.errors import UserError, require
from mmrec.reproduce.engines import ENGINES
from mmrec.reproduce.estimate import Estimate, in_words
from mmrec.reproduce.plan import Plan
from mmrec.reproduce.runner import execute, last_line
from mmrec.reproduce.spec import read_specs
from mmrec.utils.console import wide_console


def paper(args: Sequence[str]) -> None:
    """Make tables and figures of the paper: train what is missing, then write their files."""
    parser = ArgumentParser(prog="mmrec paper", description=paper.__doc__, exit_on_error=False)
    parser.add_argument("tables", nargs="+", help="table1 to table6, figure2 to figure5, all, or files of your own")
    parser.add_argument("--profile", type=str, default="smoke", help="smoke, ml1m or paper, see docs/paper.md")
    parser.add_argument("--out", type=Path, default=Path("experiments/paper"), help="files go to OUT/PROFILE")
    parser.add_argument("--runs", type=Path, default=Path("runs/paper"), help="folder of the runs")
    parser.add_argument("--dry-run", action="store_true", help="show what would run and for how long, and run nothing")
    parser.add_argument("--workers", type=int | None, default=None, help="runs at once; default: 1, on Ray its devices")
    parser.add_argument("--engine", type=Literal["local", "ray"], default="local", help="this machine or a Ray cluster")
    options = parser.parse_args(list(args))
    require(options.workers is None or options.workers >= 1, "--workers", options.workers, "at least 1")
    console = wide_console()
    specs = read_specs(options.tables)
    plan = Plan(specs, options.profile, options.runs)
    estimate = Estimate(options.runs, options.profile)
    if options.dry_run:
        _show(plan, estimate, options.workers or 1, console)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves as clean a state as Ctrl-C
    engine = ENGINES[options.engine](options.workers)
    failed = execute(plan.first(), engine, estimate, console)
    failed += execute(plan.further(), engine, estimate, console)
    written = []
    from mmrec.reproduce.render import render  # matplotlib takes half a second

    for spec in specs:
        cells = plan.cells(spec)
        if cells or not spec.rows:
            written += render(spec, plan.profiles[spec.name], cells, options.out / options.profile)
        else:
            console.print(f"{spec.name}: no run is done, nothing to write", markup=False, highlight=False)
    for file in written:
        console.print(str(file), markup=False, highlight=False, soft_wrap=True)
    if failed:
        for run in failed:
            console.print(f"failed: {run}: {last_line(run.log)}", markup=False, highlight=False, soft_wrap=True)
        raise UserError(
            f"runs that failed, so that tables lack them: {len(failed)}; see {failed[0].log} and its like; the same "
            "command tries them again"
        )


def _show(plan: Plan, estimate: Estimate, workers: int, console: Console) -> None:
    """Print every run and how far it is, and how long the rest will take."""
    runs = list({run.folder: run for run in (*plan.first(), *plan.further())}.values())
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("run", "tables", "state", "time"):
        table.add_column(name, justify="right" if name == "time" else "left", no_wrap=name == "run")
    for run in runs:
        time = "" if run.state == "done" else in_words(estimate.of(run))
        table.add_row(str(run), ", ".join(run.about["tables"]), run.state, time)
    console.print(table)
    missing = [run for run in runs if run.state != "done"]
    console.print(
        f"{len(runs) - len(missing)} of {len(runs)} runs are done; the others take: "
        f"{in_words(estimate.of_all(missing, workers))}",
        highlight=False,
    )
    if undecided := plan.undecided():
        console.print(f"then up to {undecided} more, of the rows that are best by validation", highlight=False)
