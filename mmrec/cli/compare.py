"""`mmrec compare`: all results below a folder as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from mmrec.results.compare import Extra, compare_runs


def compare(args: Sequence[str]) -> None:
    """Show all results below some folders as tables, one for each dataset and protocol."""
    parser = ArgumentParser(prog="mmrec compare", description=compare.__doc__, exit_on_error=False)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs or copied results, for example runs/toy")
    parser.add_argument("--groups", type=Path | None, default=None, help="CSV of user,group: also NDCG@10 by group")
    parser.add_argument("--slices", action="store_true", help="also NDCG@10 by slice of the target item")
    parser.add_argument("--cost", action="store_true", help="also time per epoch, time to the best one, peak memory")
    parser.add_argument("--beyond", action="store_true", help="also coverage, Gini, novelty, diversity of the lists")
    parser.add_argument("--against", type=str | None, default=None, help="also paired tests against this model")
    options = parser.parse_args(list(args))
    extra = Extra(
        groups=options.groups, slices=options.slices, cost=options.cost, beyond=options.beyond, against=options.against
    )
    compare_runs(*options.runs, extra=extra)
