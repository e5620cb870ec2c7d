"""How long a user waits for a recommendation, measured on a finished run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median

import torch

from mmrec.results.load import Result
from mmrec.training.run_folder import load_run
from mmrec.utils import environment
from mmrec.utils.files import write_whole

FILE = "latency.json"
REQUESTS = 300
WARM_UP = 20
LIST = 10


def latency_ms(folder: Path, result: Result) -> float:
    """Return the median milliseconds of one online request; measured once, then read from `latency.json` of the run.

    A request is one user's history turned into the ten best items: the window is cut, the user encoded, every item
    scored, the history removed, the ten found. What the paper's section 4.6 makes offline is made before the clock
    starts: item vectors, the propagation over the graph, and the library, which inference does not search. Requests are
    of users drawn with a fixed seed, one at a time, after some to warm up, on the machine's GPU if it has one.

    Args:
        folder: of the run.
        result: of the run; a measurement from before it was last tested is not used.

    Raises:
        UserError: the run cannot be opened, see `load_run`.
    """
    file = folder / FILE
    made = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if made.get("tested") != result.get("finished") or "median_ms" not in made:
        spread = measure(folder)
        made = {**spread, "requests": REQUESTS, "tested": result.get("finished"), "machine": environment.machine()}
        write_whole(file, json.dumps(made, indent=2) + "\n")
    return float(made["median_ms"])


def measured_on(folder: Path) -> dict[str, object]:
    """Return the machine that `latency_ms` measured a run on, which need not be the one that trained it."""
    made: dict[str, dict[str, object]] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return made["machine"]


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
            items.cpu()  # the answer is there when it has come back
            waits.append(1000 * (time.perf_counter() - started))
    model.end_evaluation()
    waits = sorted(waits[WARM_UP:])
    return {"median_ms": round(median(waits), 4), "p95_ms": round(waits[int(0.95 * len(waits))], 4)}
