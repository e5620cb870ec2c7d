"""Large catalogues: SASRec trained on and ranking a million items, and the memory of a test as its users grow.

Three things are measured, each in its own process, so that its peak memory is its own: training with sampled softmax on
all the items, ranking some users against all of them, and the test of few and of many users against a smaller
catalogue. Users choose by Zipf's law. Preparation drops items that nobody has chosen, and most of a million are such:
the dataset folders are therefore written here, in the form that `prepare` gives them, and opened like any other.
Models that only rank are untrained: neither time nor memory depends on their weights.

Prints two tables and writes them, with the machine's description, as JSON; exits with 1 if the test of many users takes
over a quarter more memory than that of few.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from harness import HERE, one_line_errors, quiet_machine, quiet_trainer, write_result
from harness import measure as in_process
from numpy.typing import NDArray
from peers.common import peak_memory_mb, timed_tests
from peers.step_clock import StepClock
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor

import mmrec
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.split import split_interactions
from mmrec.data.schema import SEQUENCES, Split
from mmrec.data.sources import Toy
from mmrec.models.sasrec import SASRec
from mmrec.utils.allocator import keep_freed_memory

SHORTEST, LONGEST = 20, 60  # histories
DRAWN = 4 * LONGEST  # items that a history is drawn from: repeated ones are dropped
BLOCK = 2**13  # users made at a time
WARM_UP = 3  # steps that are not timed
GROWTH = 1.25  # of memory from few to many users, at most; of the data itself, 13 bytes per interaction are mapped


@dataclass(frozen=True)
class Measurement:
    """What one process does.

    Args:
        kind: "train" takes steps with sampled softmax, "rank" ranks the last event of users.
        folder: the dataset's.
        steps: of training, after some to warm up.
        batch_size: of training.
        negatives: N of sampled softmax.
        users: to rank, at least, as long as there are so many; a batch is ranked as a whole.
        tests: timed passes over them, after one to warm up.
        sparse_ids: whether a step reads and updates only the id vectors that it uses.
    """

    kind: Literal["train", "rank"]
    folder: str
    steps: int
    batch_size: int
    negatives: int
    users: int
    tests: int
    threads: int
    seed: int
    sparse_ids: bool
    length: int = 50
    hidden_dim: int = 64


def write_dataset(folder: Path, n_users: int, n_items: int, seed: int) -> dict[str, Any]:
    """Write a dataset folder as `prepare` does, of users who choose by Zipf's law, split by leave-one-out.

    Args:
        folder: where to; is made.
        n_users: U.
        n_items: items, padding not counted; item 1 is the most popular.
        seed: of the draw.

    Returns:
        counts and hash.
    """
    generator = torch.Generator().manual_seed(seed)
    shares = (1 / torch.arange(1, n_items + 1, dtype=torch.float64)).cumsum(0)
    parts = [_histories(len(users), shares, generator) for users in torch.arange(n_users).split(BLOCK)]
    lengths, items = (torch.cat(columns) for columns in zip(*parts, strict=True))
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]).numpy()
    split = split_interactions(offsets, np.arange(len(items)), "leave_one_out")
    (folder / SEQUENCES).mkdir(parents=True)
    arrays: dict[str, NDArray[Any]] = {
        "item": items.numpy(),
        "timestamp": np.arange(len(items)),
        "split": split,
        "offsets": offsets,
    }
    for name, array in arrays.items():
        np.save(folder / SEQUENCES / f"{name}.npy", array)
    counts = {"n_users": n_users, "n_items": 1 + n_items, "n_interactions": len(items)}
    user = torch.arange(n_users, dtype=torch.int32).repeat_interleave(lengths).numpy()
    digest = hashlib.sha256()  # as `prepare` computes it
    for array in (user, arrays["item"], arrays["timestamp"], split):
        digest.update(array.data)
    data_hash = digest.hexdigest()
    Manifest(
        dataset="zipf",
        source={},
        options={},
        **counts,
        splits={part.name.lower(): int((split == part).sum()) for part in Split},
        rows_read=len(items),
        item_rows_read=0,
        rejected={},
        repeated_items=0,
        dropped={},
        missing={},
        statistics={},
        inputs=[],
        data_hash=data_hash,
        version=mmrec.__version__,
    ).save(folder)
    chosen = int((torch.bincount(items) > 0).sum())
    return {**counts, "items_chosen": chosen, "data_hash": data_hash}


def _histories(n_users: int, shares: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw items by cumulated shares (I,) until each user has 20 to 60 different ones, fewer where there are few.

    Returns:
        how many each user has (U,), and the items of all, user after user, int32.
    """
    length = torch.randint(SHORTEST, LONGEST + 1, (n_users, 1), generator=generator)
    draw = torch.rand(n_users, DRAWN, dtype=torch.float64, generator=generator) * shares[-1]
    drawn = 1 + torch.searchsorted(shares, draw)
    ordered, place = drawn.sort(dim=1, stable=True)
    new = torch.ones_like(drawn, dtype=torch.bool)
    new.scatter_(1, place[:, 1:], ordered[:, 1:] != ordered[:, :-1])
    kept = new & (new.cumsum(1) <= length)
    return kept.sum(1), drawn[kept].int()


def measure(settings: Measurement) -> dict[str, Any]:
    """Do what one process is for."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    keep_freed_memory()  # as the command line does at start-up
    torch.set_num_threads(settings.threads)
    pl.seed_everything(settings.seed)
    # Its source is not read: the catalogue is given.
    data = RecDataModule(Toy(), max_length=settings.length, batch_size=settings.batch_size)
    data.catalog = Catalog(Path(settings.folder))
    before = peak_memory_mb()
    model = SASRec(
        n_items=data.n_items,
        max_length=settings.length,
        hidden_dim=settings.hidden_dim,
        loss="sampled_softmax",
        n_negatives=settings.negatives,
        sparse_ids=settings.sparse_ids,
    )
    report = train(model, data, settings) if settings.kind == "train" else rank(model, data, settings)
    parameters = sum(p.numel() for p in model.parameters())
    return {"parameters": parameters, **report, "memory_before_mb": before, "peak_memory_mb": peak_memory_mb()}


def train(model: SASRec, data: RecDataModule, settings: Measurement) -> dict[str, Any]:
    """Take the steps."""
    clock = StepClock()
    trainer = quiet_trainer(max_steps=WARM_UP + settings.steps, max_epochs=-1, callbacks=[clock])
    trainer.fit(model, datamodule=data)
    seconds = np.diff(clock.ends[WARM_UP - 1 :]).tolist()  # loading of the batches included
    return {
        "step_s": median(seconds),
        "step_s_min": min(seconds),
        "step_s_max": max(seconds),
        "targets_per_s": sum(clock.targets[WARM_UP:]) / sum(seconds),
        "step_seconds": seconds,
    }


def rank(model: SASRec, data: RecDataModule, settings: Measurement) -> dict[str, Any]:
    """Rank the users, in batches of the size that the data module gives them."""
    loader = data.eval_dataloader(Split.TEST)
    sizes = np.cumsum([len(batch) for batch in loader.batches])
    batches = min(len(sizes), int(np.searchsorted(sizes, settings.users)) + 1)
    trainer = quiet_trainer(limit_test_batches=batches)
    seconds, _ = timed_tests(settings.tests, lambda: trainer.test(model, datamodule=data, verbose=False))
    users = int(sizes[batches - 1])
    return {
        "users": users,
        "batch_size": len(loader.batches[0]),
        "test_s": median(seconds),
        "test_s_min": min(seconds),
        "test_s_max": max(seconds),
        "users_per_s": users / median(seconds),
    }


def run(settings: Measurement) -> dict[str, Any]:
    """Measure in a process of its own."""
    return in_process([sys.executable, __file__, "--measure", json.dumps(asdict(settings))], settings.threads)


def compare(options: argparse.Namespace) -> bool:
    """Measure, print and write; return whether memory stays as it is with more users."""
    machine = quiet_machine()
    kept = ("steps", "batch_size", "negatives", "tests", "threads", "seed", "sparse_ids")
    fixed = {key: getattr(options, key) for key in kept}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        large = Path(folder) / "large"
        print(f"{options.items:,} items: writing {options.users:,} users", file=sys.stderr, flush=True)
        data = {"large": write_dataset(large, options.users, options.items, options.seed)}
        reports = {}
        for kind in ("train", "rank"):
            print(f"{options.items:,} items: {kind}", file=sys.stderr, flush=True)
            reports[kind] = run(Measurement(kind=kind, folder=str(large), users=options.ranked, **fixed))
        for name, count in {"few": options.few, "many": options.many}.items():
            print(f"{options.test_items:,} items: test of {count:,} users", file=sys.stderr, flush=True)
            data[name] = write_dataset(Path(folder) / name, count, options.test_items, options.seed)
            reports[name] = run(Measurement(kind="rank", folder=str(Path(folder) / name), users=count, **fixed))
    growth: float = reports["many"]["peak_memory_mb"] / reports["few"]["peak_memory_mb"]
    result = {
        "machine": machine,
        "data": data,
        "settings": {**fixed, "length": Measurement.length, "width": Measurement.hidden_dim},
        **reports,
        "memory_growth": growth,
        "versions": {"torch": torch.__version__, "pytorch-lightning": version("pytorch-lightning")},
    }
    show(result)
    write_result(options.output, result)
    return growth <= GROWTH


def show(result: dict[str, Any]) -> None:
    """Print a table of the large catalogue and one of the test."""
    training, ranking, data = result["train"], result["rank"], result["data"]
    large = Table("", Column("training", justify="right"), Column("ranking", justify="right"))
    large.title = f"SASRec, {data['large']['n_items'] - 1:,} items, {training['parameters']:,} parameters"
    large.add_row("step, s: median (lowest to highest)", _spread(training, "step_s", ".3f"), "")
    large.add_row("targets / s", f"{training['targets_per_s']:,.0f}", "")
    large.add_row("users / s", "", f"{ranking['users_per_s']:,.1f}")
    large.add_row("users in a batch", f"{result['settings']['batch_size']:,}", f"{ranking['batch_size']:,}")
    large.add_row("peak memory, MB", *(f"{one['peak_memory_mb']:,.0f}" for one in (training, ranking)))
    sides = [result["few"], result["many"]]
    columns = (Column(f"{side['users']:,} users", justify="right") for side in sides)
    title = f"full-ranking test, {data['few']['n_items'] - 1:,} items"
    test = Table("", *columns, title=title, caption=f"memory: x {result['memory_growth']:.2f}, limit {GROWTH}")
    test.add_row("test, s: median (lowest to highest)", *(_spread(side, "test_s", ".1f") for side in sides))
    for label, key in {"users / s": "users_per_s", "peak memory, MB": "peak_memory_mb"}.items():
        test.add_row(label, *(f"{side[key]:,.0f}" for side in sides))
    for table in (large, test):
        Console().print(table)


def _spread(report: dict[str, Any], key: str, form: str) -> str:
    return f"{report[key]:{form}} ({report[f'{key}_min']:{form}} to {report[f'{key}_max']:{form}})"


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Measurement(**json.loads(sys.argv[2])))), flush=True)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    sizes = {
        "items": (1_000_000, "of the large catalogue"),
        "users": (20_000, "of the large catalogue"),
        "steps": (100, "of training, timed, after some to warm up"),
        "batch-size": (128, "of training"),
        "negatives": (3000, "of sampled softmax"),
        "ranked": (2000, "users ranked against the large catalogue, about"),
        "test-items": (40_000, "items of the test of few and many users"),
        "few": (10_000, "users of the one test"),
        "many": (100_000, "users of the other"),
        "tests": (2, "timed passes over the users, after one to warm up"),
        "threads": (2, "of every process"),
    }
    for name, (default, words) in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=words)
    parser.add_argument("--seed", type=int, default=1, help="of data and model")
    parser.add_argument("--sparse-ids", action="store_true", help="update only the id vectors that a step uses")
    parser.add_argument("--folder", type=Path, default=None, help="where the data is made (13 bytes per interaction)")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "large_catalogue.json")
    options = parser.parse_args()
    if min(getattr(options, name.replace("-", "_")) for name in sizes) < 1:
        parser.error(f"{', '.join(f'--{name}' for name in sizes)} are at least 1")
    with one_line_errors():
        constant = compare(options)
    sys.exit(0 if constant else "benchmark: the memory of a test grows with its users")


if __name__ == "__main__":
    main()
