"""What each part of MM-RACL-KAL costs: its training step against that of its SASRec form, and with one part off.

All forms take the same batches, turn by turn in one process, so that a machine that slows down slows all of them. A
step is the losses, their gradients and the optimizer; the neighbour table, made once an epoch, is timed apart. Prints
a table and writes it as JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from harness import HERE, data_module, one_line_errors, quiet_machine, write_result
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from mmrec.batch import PAD, TrainBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.indexing import EpochSeed
from mmrec.data.loaders.windows import TrainLoader
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.nn.kernels.precision import set_loss_precision
from mmrec.utils.allocator import keep_freed_memory

SASREC = "SASRec form"
FULL = "MM-RACL-KAL"
FORMS: dict[str, dict[str, Any]] = {
    SASREC: {
        "item_id": True, "text": False, "image": False, "replace_prob": 0.0, "static_user": "none", "beta": 0.0,
    },
    FULL: {},
    "with ids": {"item_id": True},
    "without image": {"image": False},
    "without retrieval": {"replace_prob": 0.0},
    "without static interest": {"static_user": "none"},
    "without contrast": {"beta": 0.0},
}  # fmt: skip
LINKED = ("n_users", "n_items", "text_dim", "image_dim", "max_length")
WARM_UP = 2  # steps: the first ones meet every size of buffer for the first time


def models(data: RecDataModule, forms: Mapping[str, dict[str, Any]], seed: int) -> dict[str, MMRaclKal]:
    """Build each form on the data."""
    result = {}
    for name, options in forms.items():
        torch.manual_seed(seed)
        model = MMRaclKal(**{name: getattr(data, name) for name in LINKED}, **options)
        model.attach(data.catalog, data.features)
        result[name] = model.train()
    return result


def timed_steps(built: Mapping[str, MMRaclKal], batches: Sequence[TrainBatch]) -> dict[str, list[float]]:
    """Return the seconds of every step after the warm-up, by form."""
    optimizers = {name: torch.optim.AdamW(model.parameters(), 1e-3, fused=True) for name, model in built.items()}
    seconds: dict[str, list[float]] = {name: [] for name in built}
    for batch in track(batches, "steps"):
        for name, model in built.items():
            start = perf_counter()
            optimizers[name].zero_grad()
            model.losses(batch)["loss"].backward()
            optimizers[name].step()
            seconds[name].append(perf_counter() - start)
    return {name: times[WARM_UP:] for name, times in seconds.items()}


def spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest value under names of their own."""
    return {name: median(values), f"{name}_min": min(values), f"{name}_max": max(values)}


def compare(options: argparse.Namespace) -> None:
    """Time all forms, print and write."""
    data = data_module(options.config, features=True, root=options.root, max_length=options.length)
    machine = quiet_machine()
    built = models(data, FORMS, options.seed)
    for model in built.values():
        model.refresh_neighbours()
    start = perf_counter()
    built[FULL].refresh_neighbours()
    refresh = perf_counter() - start
    loader = data.train_loader("windows")
    assert isinstance(loader, TrainLoader)
    loader.epoch_seed = EpochSeed(options.seed, lambda: 0)
    batches = list(islice(loader, WARM_UP + options.steps))
    targets = sum(int((batch.targets != PAD).sum()) for batch in batches[WARM_UP:]) / len(batches[WARM_UP:])
    seconds = timed_steps(built, batches)
    forms = {}
    for name, times in seconds.items():
        # Of the same batch each: batches differ in length, and the machine in speed from one minute to the next.
        ratios = [one / base for one, base in zip(times, seconds[SASREC], strict=True)]
        forms[name] = spread("ms", [1e3 * one for one in times]) | spread("ratio", ratios)
    settings = {key: getattr(options, key) for key in ("length", "steps", "seed", "threads", "loss_precision")}
    sizes = {"n_users": data.n_users, "n_items": data.n_items - 1, "steps_of_an_epoch": len(loader)}
    write_result(
        options.output,
        {
            "machine": machine,
            "data": {"name": data.source.name, "data_hash": data.catalog.manifest.data_hash, **sizes},
            "settings": {**settings, "batch_size": data.batch_size, "targets_of_a_step": targets},
            "neighbour_table_seconds": refresh,
            "forms": forms,
        },
    )
    heads = ("step, ms", "lowest", "highest", "ratio", "lowest", "highest")
    title = f"on {data.source.name}, L {options.length}, {targets:,.0f} targets a step, threads: {options.threads}"
    table = Table("", *(Column(head, justify="right") for head in heads), title=title)
    for name, row in forms.items():
        table.add_row(name, *(f"{value:.2f}" if "ratio" in key else f"{value:,.0f}" for key, value in row.items()))
    Console().print(table)
    print(f"neighbour table, once in {len(loader)} steps: {refresh:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", default="lightning_configs/data/movielens.yaml", help="data section of a run")
    parser.add_argument("--root", default="data", help="where prepared datasets are kept")
    parser.add_argument("--length", type=int, default=200, help="L")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each form, after two")
    parser.add_argument("--seed", type=int, default=1, help="of parameters, batches and dropout")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loss-precision", choices=("reduced", "full"), default="reduced")
    parser.add_argument("--output", type=Path, help="results/parts_<length>.json if left out")
    options = parser.parse_args()
    if min(options.length, options.steps, options.threads) < 1:
        parser.error("--length, --steps and --threads are at least 1")
    options.output = options.output or HERE / "results" / f"parts_{options.length}.json"
    keep_freed_memory()  # as the command line does at start-up
    torch.set_num_threads(options.threads)
    set_loss_precision(options.loss_precision)
    with one_line_errors():
        compare(options)


if __name__ == "__main__":
    main()
