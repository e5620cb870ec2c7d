"""Execution of the missing runs with progress; a run that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mmrec.reproduce.engines import Engine
from mmrec.reproduce.estimate import Estimate, in_words
from mmrec.reproduce.run import Run

TAIL = 2**16  # bytes at the end of a log that are searched for its last line


def execute(runs: Sequence[Run], engine: Engine, estimate: Estimate, console: Console) -> list[Run]:
    """Execute the runs that are not done, and return those that failed.

    Args:
        runs: the runs; finished ones are skipped.
        engine: engine that executes them.
        estimate: estimate of their time; each run that ends here is added to it.
        console: where progress is shown: a bar in a terminal, and a line for each run.
    """
    missing = {run.folder: run for run in runs if run.state != "done"}
    failed: list[Run] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("runs", total=len(runs), completed=len(runs) - len(missing))

        def begins(run: Run) -> None:
            verb = "continues" if run.state == "interrupted" else "begins"
            progress.console.print(f"{run} {verb}", markup=False, highlight=False, soft_wrap=True)

        with closing(engine(list(missing.values()), begins)) as ended:
            for run in ended:
                del missing[run.folder]
                if run.state == "done":
                    words = f"done in {in_words(estimate.add(run))}"
                else:
                    failed.append(run)
                    words = f"failed: {last_line(run.log)}"
                left = in_words(estimate.of_all(missing.values(), engine.workers))
                progress.update(task, advance=1, description=f"runs, {left} left")
                count = f"[{len(runs) - len(missing)}/{len(runs)}]"
                tail = f"; time left: {left}" if missing else ""
                progress.console.print(f"{count} {run} {words}{tail}", markup=False, highlight=False, soft_wrap=True)
    return failed


def last_line(log: Path) -> str:
    """Return the last line of a log that is not blank."""
    if not log.is_file():
        return f"the log {log} is missing"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "the log is empty")
