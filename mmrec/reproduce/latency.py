"""The latency of one recommendation, measured on a finished run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mmrec.results.load import Run
from mmrec.training.run_folder import load_run
from mmrec.utils import environment
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json

FILE = "latency.json"
SHAPE = {"median_ms": float, "tested": (str, None), "machine": {}}
REQUESTS = 300
WARM_UP = 20
LIST = 10


def latency_ms(run: Run) -> float | None:
    """Return the median milliseconds of one online request; measured once, then read from `latency.json` of the run.

    A request turns the history of one user into the ten best items: the window is cut, the user encoded, every item
    scored, the history removed, and the ten best found. Item vectors and the propagation over the graph, which the
    paper's section 4.6 computes offline, are computed before the clock starts; inference does not search the library.
    The users are drawn with a fixed seed and requested one at a time, after some to warm up, on the machine's GPU if it
    has one.

    Args:
        run: the run; a measurement older than its last test is not used. A copied result has no latency.

    Raises:
        UserError: the run cannot be opened, see `load_run`, or `latency.json` is damaged.
    """
    if run.folder is None:
        return None
    file = run.folder / FILE
    made = _read(file) if file.is_file() else {}
    if not made or made.get("tested") != run.result.get("finished"):
        tested = {"requests": REQUESTS, "tested": run.result.get("finished"), "machine": environment.machine()}
        made = {**measure(run.folder), **tested}
        write_whole(file, json.dumps(made, indent=2) + "\n")
    return float(made["median_ms"])


def measured_on(run: Run) -> dict[str, Any]:
    """Return the machine that measured a run's latency, which may differ from the one that trained it."""
    machine: dict[str, Any] = _read((run.folder or Path()) / FILE)["machine"]
    return machine


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(file, SHAPE, "remove it, and the latency is measured again")
    return found


def measure(folder: Path) -> dict[str, float]:
    """Return the median and the 95th percentile of a run's requests, in milliseconds."""
    model, data = load_run(folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    loader = data.eval_dataloader(None)
    users = torch.randint(data.n_users, (WARM_UP + REQUESTS,), generator=torch.Generator().manual_seed(0))
    waits = []
    model.begin_evaluation()
    with torch.inference_mode():
        for user in users:
            started = time.perf_counter()
            batch = model.transfer_batch_to_device(loader.batch(user[None]), device, 0)
            _, items = model.recommend(batch, LIST)
            items.cpu()  # waits for the GPU
            waits.append(1000 * (time.perf_counter() - started))
    model.end_evaluation()
    waits = sorted(waits[WARM_UP:])
    return {"median_ms": round(median(waits), 4), "p95_ms": round(waits[int(0.95 * len(waits))], 4)}
