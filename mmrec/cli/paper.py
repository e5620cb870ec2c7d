"""`mmrec paper`: the paper's tables and figures."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import ArgumentParser
from rich.console import Console

from mmrec.errors import UserError, require
from mmrec.reproduce.engines import ENGINES
from mmrec.reproduce.estimate import Estimate, in_words
from mmrec.reproduce.plan import Plan
from mmrec.reproduce.runner import execute, last_line
from mmrec.reproduce.spec import Profile, Spec, data_args, read_specs
from mmrec.results.table import Cell, Column, Table
from mmrec.results.writers.terminal import write
from mmrec.utils.console import wide_console

if TYPE_CHECKING:
    from mmrec.data.prepare.manifest import Manifest


def paper(args: Sequence[str]) -> None:
    """Make tables and figures of the paper: train what is missing, then write their files."""
    from mmrec.cli.run_identity import identify

    parser = ArgumentParser(prog="mmrec paper", description=paper.__doc__, exit_on_error=False)
    parser.add_argument(
        "tables", nargs="+", help="table1 to table6, figure2 to figure5, ladder, all, or your own files"
    )
    parser.add_argument("--profile", type=str, default="smoke", help="smoke, ml1m, hm or paper, see docs/paper.md")
    parser.add_argument("--out", type=Path, default=Path("experiments/paper"), help="files are written to OUT/PROFILE")
    parser.add_argument("--runs", type=Path, default=Path("runs/paper"), help="folder of the runs")
    parser.add_argument("--dry-run", action="store_true", help="list the runs and their estimated time, and stop")
    parser.add_argument(
        "--workers", type=int | None, default=None, help="number of runs at once; default: 1, on Ray one per device"
    )
    parser.add_argument("--engine", type=Literal["local", "ray"], default="local", help="this machine or a Ray cluster")
    options = parser.parse_args(list(args))
    require(options.workers is None or options.workers >= 1, "--workers", options.workers, "at least 1")
    console = wide_console()
    specs = read_specs(options.tables)
    plan = Plan(specs, options.profile, options.runs, identify)
    estimate = Estimate(options.runs, options.profile)
    if options.dry_run:
        _show(plan, estimate, options.workers or 1, console)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # runs are then ended as after Ctrl-C
    engine = ENGINES[options.engine](options.workers)
    failed = execute(plan.first(), engine, estimate, console)
    failed += execute(plan.further(), engine, estimate, console)
    for spec in specs:
        for file in _render(spec, plan, options.out / options.profile, console):
            console.print(str(file), markup=False, highlight=False, soft_wrap=True)
    if failed:
        for run in failed:
            console.print(f"failed: {run}: {last_line(run.log)}", markup=False, highlight=False, soft_wrap=True)
        raise UserError(
            f"{len(failed)} runs failed, and the tables lack them: see {failed[0].log}; repeat the command to try them "
            "again"
        )


def _render(spec: Spec, plan: Plan, out: Path, console: Console) -> list[Path]:
    """Write the files of a table and return them."""
    from mmrec.reproduce.render import render, render_statistics  # matplotlib takes half a second

    profile = plan.profiles[spec.name]
    if spec.kind == "statistics":
        return render_statistics(spec, profile, _manifests(profile), out)
    cells = plan.cells(spec)
    if not cells:
        console.print(f"{spec.name}: no run is done, no files are written", markup=False, highlight=False)
        return []
    return render(spec, profile, cells, out)


def _manifests(profile: Profile) -> list[Manifest]:
    """Prepare the datasets of a profile, if they are not prepared yet, and return their manifests."""
    from mmrec.cli.run_identity import prepared

    return [prepared(data_args(dataset, profile.options)) for dataset in profile.datasets]


def _show(plan: Plan, estimate: Estimate, workers: int, console: Console) -> None:
    """Print every run with its state, and the time of the missing ones."""
    runs = list({run.folder: run for run in (*plan.first(), *plan.further())}.values())
    rows = []
    for run in runs:
        time = "" if run.state == "done" else in_words(estimate.of(run))
        rows.append((Cell(str(run)), Cell(", ".join(run.about["tables"])), Cell(run.state), Cell(time)))
    heads = (*(Column(name, words=True) for name in ("run", "tables", "state")), Column("time"))
    write(Table("", heads, tuple(rows)), console)
    missing = [run for run in runs if run.state != "done"]
    console.print(
        f"{len(runs) - len(missing)} of {len(runs)} runs are done; time of the others: "
        f"{in_words(estimate.of_all(missing, workers))}",
        highlight=False,
    )
    if undecided := plan.undecided():
        console.print(f"then up to {undecided} more runs, for the rows that are best by validation", highlight=False)
