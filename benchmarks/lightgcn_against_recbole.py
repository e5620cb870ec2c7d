"""LightGCN of mmrec against RecBole's: the same embeddings to start from, the same triplets, the same steps.

Compares loss and gradients of the first step and NDCG@10 after the last, prints both with the time of a step, writes
them as JSON, and exits with 1 unless loss and gradients agree to 1e-5 and NDCG@10 to 1 %. RecBole runs in
`.venv-recbole`, which is made on first use.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from harness import (
    HERE,
    RECBOLE_PINS,
    data_module,
    measure,
    one_line_errors,
    quiet_machine,
    triplets_of,
    write_result,
)
from machine import environment_of
from numpy.typing import NDArray
from peers.triplets import GraphSettings
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor

from mmrec.batch import SequenceBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.models.recommender import Recommender

WIDTH, STD = 64, 0.1  # of the embeddings to start from


class Fixed(Recommender):
    """Ranks by given vectors, so that both sides are measured by one evaluation."""

    def __init__(self, users: NDArray[Any], items: NDArray[Any]) -> None:
        super().__init__()
        self.users, self.items = torch.from_numpy(users), torch.from_numpy(items)

    def encode_users(self, batch: SequenceBatch) -> Tensor:
        """Look the users up."""
        return self.users[batch.user]

    def item_vectors(self) -> Tensor:
        """Return the items."""
        return self.items


def write_start(data: RecDataModule, steps: int, seed: int, folder: Path) -> int:
    """Write `start.npz`, see `GraphSettings`; epochs follow one another until there are enough steps; return B."""
    view, generator = data.catalog.train, np.random.default_rng(seed)
    triplets = triplets_of(data, steps, seed).numpy()
    np.savez(
        folder / "start.npz",
        edges=torch.stack([view.users, view.items.long()]).numpy(),
        users=generator.normal(0, STD, (data.n_users, WIDTH)).astype(np.float32),
        items=generator.normal(0, STD, (data.n_items, WIDTH)).astype(np.float32),
        triplets=triplets,
    )
    return int(triplets.shape[2])


def ndcg(data: RecDataModule, vectors: dict[str, NDArray[Any]]) -> float:
    """Rank the test split by given vectors."""
    model = Fixed(vectors["users"], vectors["items"])
    model.begin_evaluation()
    with torch.no_grad():
        for batch in data.eval_dataloader(Split.TEST):
            model.metrics.update(batch.instance, model.ranks(batch))
    return float(model.metrics.compute()["ndcg@10"])


def deviation(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Return the largest difference, as a share of the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run both sides and put what they came to side by side."""
    data = data_module(options.config, pair_batch_size=options.batch_size)
    machine = quiet_machine()
    with tempfile.TemporaryDirectory() as folder:
        settings = GraphSettings(folder=folder, threads=options.threads, lr=options.lr)
        size = write_start(data, options.steps, options.seed, Path(folder))
        sides = {
            "recbole": (environment_of("recbole", "recbole", "1.2.1", pins=RECBOLE_PINS), "peers.recbole_lightgcn"),
            "mmrec": (sys.executable, "peers.mmrec_lightgcn"),
        }
        reports, results = {}, {}
        for name, (python, module) in sides.items():
            print(f"{name}: {options.steps} steps", file=sys.stderr, flush=True)
            reports[name] = measure([python, "-m", module, json.dumps(asdict(settings))], settings.threads)
            results[name] = dict(np.load(settings.result(name)))
    ours, theirs = results["mmrec"], results["recbole"]
    loss = {name: float(result["loss"]) for name, result in results.items()}
    scores = {name: ndcg(data, result) for name, result in results.items()}
    kept = {key: value for key, value in asdict(settings).items() if key != "folder"}
    return {
        "machine": machine,
        "data": {"name": data.source.name, "data_hash": data.catalog.manifest.data_hash},
        "settings": {**kept, "steps": options.steps, "batch_size": size, "seed": options.seed, "width": WIDTH},
        "loss": loss,
        "deviation": {
            "loss": abs(loss["mmrec"] - loss["recbole"]) / loss["recbole"],
            "user_gradient": deviation(ours["user_gradient"], theirs["user_gradient"]),
            "item_gradient": deviation(ours["item_gradient"][1:], theirs["item_gradient"][1:]),
            "final_users": deviation(ours["users"], theirs["users"]),
            "final_items": deviation(ours["items"][1:], theirs["items"][1:]),
            "ndcg@10": abs(scores["mmrec"] - scores["recbole"]) / max(scores["recbole"], 1e-12),
        },
        "ndcg@10": scores,
        "step_ms": {name: 1000 * median(one["step_seconds"]) for name, one in reports.items()},
        "peak_memory_mb": {name: one["peak_memory_mb"] for name, one in reports.items()},
        "versions": {name: one["versions"] for name, one in reports.items()},
    }


def show(result: dict[str, Any]) -> bool:
    """Print the table; return whether both agree."""
    limits = {"loss": 1e-5, "user_gradient": 1e-5, "item_gradient": 1e-5, "ndcg@10": 0.01}
    columns = (Column(name, justify="right") for name in ("mmrec", "RecBole", "deviation", "limit"))
    settings = result["settings"]
    title = f"LightGCN on {result['data']['name']}, {settings['steps']} steps of {settings['batch_size']} pairs"
    table = Table("", *columns, title=title)
    for key, value in result["deviation"].items():
        sides = result.get(key, {})
        values = [f"{sides[name]:.6f}" if sides else "" for name in ("mmrec", "recbole")]
        table.add_row(key, *values, f"{value:.1e}", f"{limits[key]:g}" if key in limits else "")
    for key, form in (("step_ms", ".1f"), ("peak_memory_mb", ",.0f")):
        table.add_row(key, *(f"{result[key][name]:{form}}" for name in ("mmrec", "recbole")), "", "")
    Console().print(table)
    return all(result["deviation"][key] <= limit for key, limit in limits.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", default="lightning_configs/data/movielens.yaml", help="data section of a run")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=2048, help="pairs of a step, at most")
    parser.add_argument("--lr", type=float, default=5e-3, help="high, for 500 steps to lead somewhere")
    parser.add_argument("--seed", type=int, default=1, help="of embeddings and triplets")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "lightgcn_against_recbole.json")
    options = parser.parse_args()
    if min(options.steps, options.batch_size, options.threads) < 1:
        parser.error("--steps, --batch-size and --threads are at least 1")
    with one_line_errors():
        result = compare(options)
    write_result(options.output, result)
    agree = show(result)
    sys.exit(0 if agree else "benchmark: the two do not agree")


if __name__ == "__main__":
    main()
