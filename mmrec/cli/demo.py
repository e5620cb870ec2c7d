"""`mmrec demo`: the whole way of a dataset, from raw files to one HTML page, on the embedded toy shop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.table import Table
from rich.text import Text

from mmrec.cli import lightning
from mmrec.cli.prepare import prepare
from mmrec.explain.rows import read_rows
from mmrec.report.write import write_page
from mmrec.results.compare import Extra, compare_runs
from mmrec.utils.console import wide_console

CONFIG = "lightning_configs/run/toy_mm_racl_kal.yaml"
RUNS = Path("runs/toy")
RUN = RUNS / "mm_racl_kal" / "seed1"
TASTES = Path("data/toy/raw/tastes.csv")
"""What each user of the toy shop was made to look at: a group of users per planted taste."""


def demo(args: Sequence[str]) -> None:
    """Prepare, train, test, explain and report on the embedded toy shop: about two minutes, nothing is downloaded."""
    parser = ArgumentParser(prog="mmrec demo", description=demo.__doc__, exit_on_error=False)
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the page of results")
    options = parser.parse_args(list(args))
    console = wide_console()
    steps: list[tuple[str, Callable[[], None]]] = [
        ("prepare the toy shop and encode its items", lambda: prepare(["--config", CONFIG])),
        ("test the most popular items", lambda: lightning.run(["fit", "--data", "toy", "--model", "popularity"])),
        ("train and test SASRec", lambda: lightning.run(["fit", "--data", "toy", "--model", "sasrec"])),
        ("train, test and explain MM-RACL-KAL", lambda: lightning.run(["fit", "--config", CONFIG])),
        ("compare, and write the page", lambda: write_page(RUNS, options.out)),
    ]
    for number, (title, step) in enumerate(steps, 1):
        console.rule(f"{number} of {len(steps)}: {title}", align="left")
        step()
    compare_runs(RUNS, extra=Extra(groups=TASTES), console=console)
    console.print(_where_things_are(options.out))


def _where_things_are(page: Path) -> Table:
    first = read_rows(RUN / "explanations.jsonl")[0]
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in (
        ("page of results", f"{page} ({page.stat().st_size / 1e6:.1f} MB, opens in any browser)"),
        ("trained model", str(RUN)),
        ("an explanation", first["text"]),
        ("ask for another", f"mmrec explain --ckpt {RUN} --user {first['user']}"),
        ("your own data", "mmrec config my_shop > my_shop.yaml, edit it, lightning fit --config my_shop.yaml"),
    ):
        table.add_row(name, Text(value))
    return table
