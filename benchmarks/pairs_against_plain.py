"""VBPR and MMGCN of mmrec against the papers' formulas in plain PyTorch: same parameters, same triplets, turn by turn.

The plain models look up and project what a batch needs and pass messages edge by edge, as libraries written straight
from the formulas do, see `peers.plain_pairs`. Features are random: their values change no time. Compares loss and
gradients of the first step, prints how far they are apart with the time of a step, writes both as JSON, and exits with
1 unless they agree to 1e-5.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from harness import HERE, data_module, measure, one_line_errors, quiet_machine, triplets_of, write_result
from peers.plain_pairs import Name, PairSettings, own_model
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor

from mmrec.data.datamodule import RecDataModule

SIDES = ("mmrec", "plain")
LIMIT = 1e-5  # of the deviations
ROWS = {
    "step, ms: median": ("step_ms", ",.1f"),
    "step, ms: lowest": ("step_ms_min", ",.1f"),
    "step, ms: highest": ("step_ms_max", ",.1f"),
    "pairs / s": ("pairs_per_s", ",.0f"),
    "peak memory, MB": ("peak_memory_mb", ",.0f"),
}


def write_start(data: RecDataModule, steps: int, options: argparse.Namespace, settings: PairSettings) -> int:
    """Write `start.pt`, see `PairSettings`; return B."""
    torch.manual_seed(options.seed)
    view = data.catalog.train
    widths = {"text": options.text_dim, "image": options.image_dim}
    triplets = triplets_of(data, steps, options.seed)
    start: dict[str, Any] = {
        "n_users": data.n_users,
        "n_items": data.n_items,
        "offsets": view.offsets,
        "items": view.items.clone(),  # of the training interactions alone
        **{name: torch.randn(data.n_items, width) for name, width in widths.items()},
        "triplets": triplets,
    }
    start["parameters"] = own_model(settings, start).state_dict()
    torch.save(start, Path(settings.folder) / "start.pt")
    return triplets.shape[2]


def summary(rounds: Sequence[dict[str, Any]], size: int) -> dict[str, Any]:
    """Put all rounds of one side together."""
    milliseconds = [1000 * second for one in rounds for second in one["step_seconds"]]
    step = median(milliseconds)
    return {
        "step_ms": step,
        "step_ms_min": min(milliseconds),
        "step_ms_max": max(milliseconds),
        "pairs_per_s": 1000 * size / step,
        "peak_memory_mb": max(one["peak_memory_mb"] for one in rounds),
        "versions": rounds[0]["versions"],
        "rounds": list(rounds),
    }


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference, as a share of the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def deviations(settings: PairSettings) -> dict[str, float]:
    """Return how far loss and gradients of the first step are apart, by name."""
    ours, theirs = (torch.load(settings.result(side), weights_only=True) for side in SIDES)
    gradients: tuple[Mapping[str, Tensor], ...] = (ours["gradients"], theirs["gradients"])
    if gradients[0].keys() != gradients[1].keys():
        sys.exit(f"benchmark: the sides disagree on what has a gradient: {gradients[0].keys() ^ gradients[1].keys()}")
    result = {name: relative(gradients[0][name], gradients[1][name]) for name in gradients[0]}
    return {"loss": relative(ours["loss"], theirs["loss"]), **result}


def compare(data: RecDataModule, settings: PairSettings, steps: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run both sides of one model and put what they came to side by side."""
    size = write_start(data, settings.warm_up + steps, options, settings)
    rounds: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for turn in range(1, options.rounds + 1):
        for side in SIDES:
            print(f"{settings.name}, round {turn} of {options.rounds}: {side}", file=sys.stderr, flush=True)
            command = [sys.executable, "-m", "peers.plain_pairs", side, json.dumps(asdict(settings))]
            rounds[side].append(measure(command, settings.threads))
    ours, theirs = (summary(rounds[side], size) for side in SIDES)
    kept = {key: value for key, value in asdict(settings).items() if key not in ("name", "folder", "threads")}
    return {
        "settings": {**kept, "steps": steps, "batch_size": size},
        "deviation": deviations(settings),
        "ratios": {key: ours[key] / theirs[key] for key, _ in ROWS.values()},
        "mmrec": ours,
        "plain": theirs,
    }


def show(name: str, result: dict[str, Any], title: str) -> bool:
    """Print the table of one model; return whether both agree."""
    table = Table("", *(Column(head, justify="right") for head in (*SIDES, "mmrec : plain")), title=f"{name} {title}")
    for label, (key, form) in ROWS.items():
        values = (f"{result[side][key]:{form}}" for side in SIDES)
        table.add_row(label, *values, f"{result['ratios'][key]:.2f}")
    Console().print(table)
    worst = max(result["deviation"], key=lambda key: result["deviation"][key])
    print(f"first step: loss deviates by {result['deviation']['loss']:.1e}, ", end="")
    print(f"at most {result['deviation'][worst]:.1e} ({worst})")
    return all(value <= LIMIT for value in result["deviation"].values())  # false for NaN too


def compare_all(options: argparse.Namespace) -> bool:
    """Compare both models, print and write; return whether they agree."""
    data = data_module(options.config, root=options.root, pair_batch_size=options.batch_size)
    machine = quiet_machine()
    interactions = len(data.catalog.train.items)
    sizes = {"n_users": data.n_users, "n_items": data.n_items - 1, "interactions": interactions}
    result: dict[str, Any] = {
        "machine": machine,
        "data": {"name": data.source.name, "data_hash": data.catalog.manifest.data_hash, **sizes},
        "settings": {key: getattr(options, key) for key in ("image_dim", "text_dim", "seed", "threads", "rounds")},
    }
    steps: dict[Name, int] = {"vbpr": options.vbpr_steps, "mmgcn": options.mmgcn_steps}
    for name, count in steps.items():
        with tempfile.TemporaryDirectory() as folder:
            settings = PairSettings(name, folder, threads=options.threads, width=options.width)
            result[name] = compare(data, settings, count, options)
    write_result(options.output, result)
    title = f"on {data.source.name}, threads: {options.threads}"
    agree = [show(name, result[name], title) for name in steps]
    return all(agree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    output = HERE / "results" / "pairs_against_plain.json"
    parser.add_argument("--config", default="lightning_configs/data/movielens.yaml", help="data section of a run")
    parser.add_argument("--root", default="data", help="where prepared datasets are kept")
    parser.add_argument("--vbpr-steps", type=int, default=200, help="timed steps of VBPR in a round, after two")
    parser.add_argument("--mmgcn-steps", type=int, default=5, help="timed steps of MMGCN in a round, after two")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side has its turn")
    parser.add_argument("--batch-size", type=int, default=2048, help="pairs of a step, at most")
    parser.add_argument("--width", type=int, default=64, help="of the embeddings")
    parser.add_argument("--image-dim", type=int, default=512, help="width of the random image features")
    parser.add_argument("--text-dim", type=int, default=0, help="width of the random text features, 0 for none")
    parser.add_argument("--seed", type=int, default=1, help="of features, embeddings and triplets")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=output)
    options = parser.parse_args()
    counts = ("vbpr_steps", "mmgcn_steps", "rounds", "batch_size", "width", "image_dim", "threads")
    if min(getattr(options, name) for name in counts) < 1 or options.text_dim < 0:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in counts)
        parser.error(f"{names} are at least 1, --text-dim at least 0")
    with one_line_errors():
        agree = compare_all(options)
    sys.exit(0 if agree else "benchmark: the two do not agree")


if __name__ == "__main__":
    main()
