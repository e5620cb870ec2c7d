"""Start-up: how long `lightning fit --help` takes, an import, and the opening of a prepared dataset.

Each in a fresh process, turn by turn, beside `import pytorch_lightning` alone, below which no program on Lightning can
be. Prints a table and writes it, with the machine's description, as JSON.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from harness import quiet_machine, write_result
from machine import REPOSITORY
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

OPEN = """
import sys
from pathlib import Path
from time import perf_counter
from mmrec.data.catalog import Catalog
start = perf_counter()
catalog = Catalog(Path(sys.argv[1]))
catalog.offsets, catalog.items, catalog.train
print(perf_counter() - start)
"""
COMMANDS = {
    "lightning fit --help": ["-m", "mmrec", "lightning", "fit", "--help"],
    "Python, importing nothing": ["-c", "pass"],
    "import mmrec": ["-c", "import mmrec"],
    "import torch": ["-c", "import torch"],
    "import pytorch_lightning": ["-c", "import pytorch_lightning"],
}


def seconds(arguments: list[str]) -> float:
    """Time a fresh Python."""
    start = perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Run everything once to warm the file cache up, and then turn by turn."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    opening: list[float] = []
    for turn in track(range(options.rounds + 1), description="rounds", transient=True):
        for name, arguments in COMMANDS.items():
            spent = seconds(arguments)
            times[name].extend([spent] if turn else [])
        if options.dataset is not None:
            done = subprocess.run([sys.executable, "-c", OPEN, options.dataset], check=True, capture_output=True)
            opening.extend([float(done.stdout)] if turn else [])
    return times | ({"opening a prepared dataset": opening} if opening else {})


def show(times: dict[str, list[float]]) -> None:
    """Print medians and spread."""
    table = Table("seconds", *(Column(name, justify="right") for name in ("median", "lowest", "highest")))
    for name, values in times.items():
        table.add_row(name, *(f"{value:.3f}" for value in (median(values), min(values), max(values))))
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dataset", type=Path, help="folder of a prepared dataset, to time its opening")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results" / "startup.json")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    if options.dataset is not None and not (options.dataset / "manifest.json").is_file():
        parser.error(f"--dataset {options.dataset}: holds no manifest.json; name the folder of a prepared dataset")
    machine = quiet_machine()
    times = measure(options)
    show(times)
    write_result(options.output, {"machine": machine, "seconds": times})


if __name__ == "__main__":
    main()
