"""What a GPU makes of the models: epochs in eager mode, compiled and in bf16, the full-ranking test, graph and index.

Epochs are those of a Lightning trainer without validation, the first of each form left out: it meets every shape and
compiles. A profile says how long the GPU itself computes in a step. Prints tables and writes everything as JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from harness import HERE, data_module, one_line_errors, quiet_machine, write_result
from parts import FORMS, FULL, SASREC, models, spread
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mmrec.data.catalog import TrainView
from mmrec.data.datamodule import RecDataModule
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.nn.graph_encoder import GraphEncoder
from mmrec.nn.sequence_encoder import compile_encoders
from mmrec.retrieval.index import nearest_neighbours

PROFILED = 10  # steps


class Form(NamedTuple):
    """One row: a form of the model and how it is run."""

    model: str
    compiled: bool
    precision: str


ROWS = {
    "SASRec form": Form(SASREC, False, "32-true"),
    "SASRec form, bf16": Form(SASREC, False, "bf16-mixed"),
    "SASRec form, compiled": Form(SASREC, True, "32-true"),
    "SASRec form, compiled, bf16": Form(SASREC, True, "bf16-mixed"),
    "MM-RACL-KAL": Form(FULL, False, "32-true"),
    "MM-RACL-KAL, compiled": Form(FULL, True, "32-true"),
    "time-aware": Form("time-aware", False, "32-true"),
    "time-aware, compiled": Form("time-aware", True, "32-true"),
}


class EpochTimes(pl.Callback):
    """Seconds of each training epoch and of the test, until the GPU has finished."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self.test = 0.0
        self._started = 0.0

    def _start(self, *args: Any) -> None:
        torch.cuda.synchronize()
        self._started = perf_counter()

    def _since(self) -> float:
        torch.cuda.synchronize()
        return perf_counter() - self._started

    on_train_epoch_start = on_test_start = _start

    def on_train_epoch_end(self, *args: Any) -> None:
        """Note the epoch."""
        self.epochs.append(self._since())

    def on_test_end(self, *args: Any) -> None:
        """Note the test."""
        self.test = self._since()


def trainer(times: EpochTimes, **options: Any) -> pl.Trainer:
    """Return a trainer on one GPU that trains or tests and does nothing beside."""
    return pl.Trainer(
        accelerator="gpu", devices=1, limit_val_batches=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[times], **options,
    )  # fmt: skip


def epochs(data: RecDataModule, row: Form, options: argparse.Namespace) -> tuple[MMRaclKal, dict[str, Any]]:
    """Train a form for some epochs; return it and the seconds of an epoch."""
    pl.seed_everything(options.seed, verbose=False)
    forms = FORMS | {"time-aware": FORMS[SASREC] | {"time_bias": True}}
    model = models(data, {row.model: forms[row.model]}, options.seed)[row.model]
    if row.compiled:
        torch.compiler.reset()
        compile_encoders(model)
    times = EpochTimes()
    torch.cuda.reset_peak_memory_stats()
    fit = trainer(times, max_epochs=options.epochs, precision=row.precision)
    fit.fit(model, data)
    return model, {
        **spread("seconds", times.epochs[1:]),
        "first": times.epochs[0],
        "loss": float(fit.callback_metrics["train/loss"]),
        "peak_memory_mb": torch.cuda.max_memory_allocated() // 2**20,
    }


def profiled_step(model: MMRaclKal, data: RecDataModule) -> dict[str, Any]:
    """Return the milliseconds of a step of a form: on the clock, and those in which the GPU computes, by kernel."""
    model = model.cuda().train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    loader = data.train_loader("windows")
    batches = list(islice(loader, PROFILED))

    def run() -> None:
        for batch in batches:
            optimizer.zero_grad()
            model.losses(batch)["loss"].backward()  # type: ignore[arg-type]
            optimizer.step()
        torch.cuda.synchronize()

    run()
    start = perf_counter()
    run()
    wall = perf_counter() - start
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        run()
    kernels = [event for event in seen.key_averages() if event.device_type == torch.autograd.DeviceType.CUDA]
    largest = sorted(kernels, key=lambda event: -event.self_device_time_total)[:8]
    return {
        "ms": 1e3 * wall / PROFILED,
        "gpu_ms": sum(event.self_device_time_total for event in kernels) / 1e3 / PROFILED,
        "kernels": sum(event.count for event in kernels) / PROFILED,
        "largest_ms": {event.key[:60]: event.self_device_time_total / 1e3 / PROFILED for event in largest},
    }


def loading(data: RecDataModule) -> float:
    """Return the milliseconds that a training batch takes to be put together on the GPU."""
    loader = data.train_loader("windows")
    torch.cuda.synchronize()
    start = perf_counter()
    count = sum(1 for _ in loader)
    torch.cuda.synchronize()
    return 1e3 * (perf_counter() - start) / count


def timed(run: Callable[[], object], repeats: int) -> dict[str, float]:
    """Return the milliseconds of a call, after two calls that do not count."""
    seconds = []
    for _ in range(2 + repeats):
        torch.cuda.synchronize()
        start = perf_counter()
        run()
        torch.cuda.synchronize()
        seconds.append(1e3 * (perf_counter() - start))
    return spread("ms", seconds[2:])


def graph_step(edges: int, users: int, items: int, dim: int, layers: int) -> dict[str, Any]:
    """Time propagation over a random graph, its gradient and the optimizer."""
    draw = torch.Generator().manual_seed(0)
    chosen = torch.randint(1, items, (edges,), generator=draw)
    offsets = torch.linspace(0, edges, users + 1).long()
    encoder = GraphEncoder(layers).cuda()
    encoder.set_graph(TrainView(users, items, offsets, chosen, chosen))
    vectors = [torch.nn.Parameter(torch.randn(count, dim, device="cuda")) for count in (users, items)]
    optimizer = torch.optim.AdamW(vectors, 1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        sum(part.square().mean() for part in encoder(*vectors)).backward()  # type: ignore[union-attr]
        optimizer.step()

    found = encoder.users_from_items.values().numel()
    return {"edges": found, "users": users, "items": items, "dim": dim, "layers": layers, **timed(step, 10)}


def index_refresh(items: int, dim: int, k: int) -> dict[str, Any]:
    """Time the neighbour table of random vectors and compare it with all similarities, sorted."""
    vectors = torch.randn(items, dim, device="cuda")
    vectors[0] = 0
    found = nearest_neighbours(vectors, k)
    ours = timed(lambda: nearest_neighbours(vectors, k), 5)
    unit = torch.nn.functional.normalize(vectors, dim=1)

    def plain() -> Tensor:
        blocks = []
        for rows in torch.arange(1, items, device="cuda").split(4096):
            similarity = unit[rows] @ unit.T
            similarity[:, 0] = similarity[torch.arange(len(rows)), rows] = -torch.inf
            blocks.append(similarity.topk(k, dim=1).indices)
        return torch.cat(blocks)

    same = (found[1:, :, None] == plain()[:, None, :]).any(dim=2).float().mean()
    return {"items": items, "dim": dim, "k": k, **ours, "plain": timed(plain, 5), "recall": float(same)}


def measure(options: argparse.Namespace) -> None:
    """Time everything, print and write."""
    data = data_module(
        options.config, features=True, root=options.root, max_length=options.length, windows=options.windows
    )
    data.eval_batch_size = options.eval_batch_size
    result: dict[str, Any] = {
        "machine": quiet_machine() | {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__},
        "data": {"name": data.source.name, "data_hash": data.catalog.manifest.data_hash},
        "settings": {key: getattr(options, key) for key in ("length", "windows", "epochs", "seed", "eval_batch_size")},
        "epochs": {},
    }
    for name in options.forms:
        row = ROWS[name]
        model, result["epochs"][name] = epochs(data, row, options)
        print(name, result["epochs"][name], flush=True)
        if name == SASREC:
            result["batch_ms"] = loading(data)
            times = EpochTimes()
            for _ in range(3):
                trainer(times).test(model, data, verbose=False)
            result["test_seconds"] = times.test
            result["steps_of_an_epoch"] = len(data.train_loader("windows"))
        if row.precision == "32-true":  # a step by hand has no autocast
            result.setdefault("steps", {})[name] = profiled_step(model, data)
    result["graph"] = graph_step(20_000_000, 150_000, 45_000, 64, 3)
    print(result["graph"], flush=True)
    result["index"] = index_refresh(40_000, 512, 20)
    print(result["index"], flush=True)
    write_result(options.output, result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", default="lightning_configs/data/movielens.yaml", help="data section of a run")
    parser.add_argument("--root", default="data", help="where prepared datasets are kept")
    parser.add_argument("--length", type=int, default=200, help="L")
    parser.add_argument("--windows", choices=("last", "all"), default="last", help="of each user, as data.windows")
    parser.add_argument("--forms", nargs="+", choices=list(ROWS), default=list(ROWS), help="rows, SASRec form first")
    parser.add_argument("--epochs", type=int, default=4, help="of each form, the first not counted")
    parser.add_argument("--eval-batch-size", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "gpu.json")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no GPU here")
    if options.epochs < 2 or options.length < 1:
        parser.error("--epochs is at least 2 and --length at least 1")
    with one_line_errors():
        measure(options)


if __name__ == "__main__":
    main()
