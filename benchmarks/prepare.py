"""Preparation: mmrec against the same steps in plain pandas, on ratings in the shape of MovieLens-25M, turn by turn.

Prints a table with ratios and writes it, with the machine's description, as JSON. Pandas runs in `.venv-pandas`, which
is made on first use. Both must end with the same numbers of users, items and interactions by split.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from harness import HERE, one_line_errors, quiet_machine, write_result
from harness import measure as in_process
from machine import environment_of
from peers.movielens_shape import write_ratings
from rich.console import Console
from rich.table import Column, Table

ROWS = {"time, s": ("seconds", ".1f"), "peak memory, MB": ("peak_memory_mb", ",.0f")}


def measure(python: str, module: str, raw: Path, out: Path) -> dict[str, Any]:
    """Run one side in its own process, into an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    return in_process([python, "-m", module, str(raw), str(out)], os.cpu_count() or 1)


def compare(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    sides = {"mmrec": (sys.executable, "peers.mmrec_prepare")}
    if not options.alone:
        sides["pandas"] = (environment_of("pandas", "pandas", "2.3.3", "parquet"), "peers.pandas_prepare")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        raw, out = Path(folder) / "raw", Path(folder) / "out"
        print(f"writing about {options.rows:,} ratings ...", file=sys.stderr)
        rows = write_ratings(raw, options.rows)
        size = (raw / "ratings.csv").stat().st_size
        machine = quiet_machine()
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for turn in range(1, options.rounds + 1):
            for name, (python, module) in sides.items():
                print(f"round {turn} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                rounds[name].append(measure(python, module, raw, out))
    counts = {tuple(one["counts"]) for reports in rounds.values() for one in reports}
    if len(counts) != 1:
        sys.exit(f"benchmark: the sides disagree on users, items, interactions and splits: {counts}")
    result = {
        "machine": machine,
        "data": {"rows": rows, "csv_mb": round(size / 2**20), "counts": counts.pop()},
        "rounds": rounds,
    }
    show(result)
    write_result(options.output, result)


def show(result: dict[str, Any]) -> None:
    """Print medians and spread, and the ratio of mmrec to pandas round by round."""
    rounds = result["rounds"]
    title = f"preparing {result['data']['rows']:,} ratings ({result['data']['csv_mb']:,} MB)"
    names = [*rounds, *(["mmrec : pandas"] if len(rounds) > 1 else [])]
    table = Table("median (lowest to highest)", *(Column(name, justify="right") for name in names), title=title)
    for label, (key, form) in ROWS.items():
        values = {name: [one[key] for one in reports] for name, reports in rounds.items()}
        cells = [f"{median(v):{form}} ({min(v):{form}} to {max(v):{form}})" for v in values.values()]
        if len(rounds) > 1:
            ratios = [ours / theirs for ours, theirs in zip(values["mmrec"], values["pandas"], strict=True)]
            cells.append(f"{median(ratios):.2f}")
        table.add_row(label, *cells)
    table.add_row("opening it, ms", f"{median(1000 * one['open_seconds'] for one in rounds['mmrec']):.0f}")
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000, help="ratings, about")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side has its turn")
    parser.add_argument("--alone", action="store_true", help="measure mmrec only")
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made (28 bytes a rating)")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "prepare.json")
    options = parser.parse_args()
    if min(options.rows, options.rounds) < 1:
        parser.error("--rows and --rounds are at least 1")
    with one_line_errors():
        compare(options)


if __name__ == "__main__":
    main()
