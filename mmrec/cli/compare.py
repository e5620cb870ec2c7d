"""`mmrec compare`: all runs of a dataset in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.results.compare import compare_runs


def compare(args: Sequence[str]) -> None:
    """Show the results of all runs under a folder in one table."""
    parser = ArgumentParser(prog="mmrec compare", description=compare.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, help="folder of the runs of one dataset, for example runs/toy")
    parser.add_argument("--groups", type=Path | None, default=None, help="CSV of user,group: also NDCG@10 by group")
    parser.add_argument("--slices", action="store_true", help="also NDCG@10 by slice of the target item")
    parser.add_argument("--cost", action="store_true", help="also time per epoch, time to the best one, peak memory")
    parser.add_argument("--beyond", action="store_true", help="also coverage, Gini, novelty, diversity of the lists")
    parser.add_argument("--against", type=str | None, default=None, help="also paired tests against this model")
    options = parser.parse_args(list(args))
    compare_runs(options.runs, options.groups, options.slices, options.cost, options.beyond, options.against)
