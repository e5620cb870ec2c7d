"""Serving: time per request in process and over HTTP, throughput, memory, start, a million items; RePlay next to it.

Bundles of a SASRec with random weights are served: neither time nor memory depends on what it has learned. The million
items lie in clusters, as trained vectors do; without any, an index by cells has no use. Each side runs in its own
process, with one thread. RePlay's compiled SASRec of the same size runs in `.venv-replay`, which is made on first use.
The processor time of a request is measured next to its wall time, because a busy machine
changes the latter.

Prints a table and writes it, with the machine's description, as JSON.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import HERE, measure, quiet_machine, write_result
from machine import REPOSITORY, environment_of
from rich.console import Console
from rich.table import Column, Table

import mmrec
from mmrec.inference.bundle.export import ExportOptions, export_model
from mmrec.inference.bundle.index import IndexKind
from mmrec.inference.onnx import Runtime

LENGTH, K, USERS = 50, 10, 5000
SIZE = {"hidden_dim": 64, "heads": 1, "layers": 2}
TOGETHER = 32  # histories per call, where requests are answered in batches
FORMS = ["openvino", "onnx", "onnxruntime", "onnxscript"]  # what RePlay's compiled form needs
COMMAND = "from mmrec.cli.main import main; main()"


def make_bundle(folder: Path, items: int, index: IndexKind) -> dict[str, Any]:
    """Write a bundle of a model with random weights; return what its manifest says of the index."""
    rng = np.random.default_rng(0)
    chosen = np.concatenate([np.arange(items), rng.integers(0, items, USERS * 5)])
    users = np.arange(len(chosen)) % USERS
    rng.shuffle(users)
    rows = folder / f"{items}.csv"
    lines = (f"{user},{item},{at}\n" for at, (user, item) in enumerate(zip(users, chosen, strict=True)))
    rows.write_text("user,item,time\n" + "".join(lines), encoding="utf-8")
    source = mmrec.Tabular(str(rows), user="user", item="item", time="time", name=f"random{items}")
    data = mmrec.prepare(
        source, root=str(folder / "data"), split="leave_one_out", item_core=1, user_core=1, require_text=False,
        require_image=False, max_length=LENGTH,
    )  # fmt: skip
    torch.manual_seed(0)
    model = mmrec.SASRec.for_data(data, ffn_dim=SIZE["hidden_dim"], **SIZE).eval()
    model.attach(data.catalog, data.features)
    if items > 100_000:
        centres = torch.randn(items // 500, 64)
        vectors = centres[torch.randint(len(centres), (items,))] + 0.5 * torch.randn(items, 64)
        for name, parameter in model.named_parameters():
            if name == "item_encoder.id.weight":
                with torch.no_grad():
                    parameter[1:] = 0.02 * vectors[: len(parameter) - 1]
    target = folder / f"bundle_{items}_{index}"
    made = export_model(model, data, target, ExportOptions(index=index, graphs=items <= 100_000))
    assert made.index is not None
    return made.index


def questions(ids: list[str], count: int) -> list[list[str]]:
    """Return random histories of 50 items."""
    rng = np.random.default_rng(1)
    return [[ids[place] for place in row] for row in rng.integers(0, len(ids), (count, LENGTH))]


def in_process(bundle: Path, count: int, runtime: Runtime) -> dict[str, Any]:
    """Time requests one after the other, from raw ids to titles."""
    torch.set_num_threads(1)
    before = memory_mb(os.getpid())
    started = time.perf_counter()
    shop = mmrec.load(bundle, runtime)
    loaded = time.perf_counter() - started
    asked = questions(json.loads((bundle / "items.json").read_text()), count)
    for history in asked[:20]:
        shop.recommend(history, k=K)
    wall, processor = [], []
    for history in asked:
        at, used = time.perf_counter(), time.process_time()
        shop.recommend(history, k=K)
        wall.append(time.perf_counter() - at)
        processor.append(time.process_time() - used)
    batches = [asked[at : at + TOGETHER] for at in range(0, len(asked) - TOGETHER + 1, TOGETHER)]
    together = []
    for batch in batches:
        at = time.perf_counter()
        shop.recommend_many(batch, k=K)
        together.append(time.perf_counter() - at)
    vectors = (bundle / "item_vectors.npy").stat().st_size / 1e6
    return {
        "load_s": loaded, **spread(wall), "together_per_second": TOGETHER / float(np.median(together)),
        "processor_ms": 1e3 * float(np.median(processor)), "vectors_mb": vectors,
        "memory_before": before, "memory": memory_mb(os.getpid()), "load": os.getloadavg()[0],
    }  # fmt: skip


def replay(items: int, count: int) -> dict[str, Any]:
    """Time RePlay's compiled forms of a SASRec of the same size."""
    python = environment_of("replay", "replay-rec", "0.22.0", "torch", FORMS)
    asked = {"items": items, "length": LENGTH, "k": K, "requests": count, "together": TOGETHER} | SIZE
    return measure([python, "-m", "peers.replay_serving", json.dumps(asked)], threads=1)


def over_http(bundle: Path, count: int, clients: int, seconds: float, runtime: Runtime) -> dict[str, Any]:
    """Time requests to a server from one client, and count those of many clients."""
    asked = [
        json.dumps({"history": one, "k": K}).encode()
        for one in questions(json.loads((bundle / "items.json").read_text()), count)
    ]
    with server(bundle, runtime) as (process, port, started):
        request(http.client.HTTPConnection("127.0.0.1", port), asked[0])
        first = time.perf_counter() - started
        connection = http.client.HTTPConnection("127.0.0.1", port)
        alone = [request(connection, body) for body in asked]
        found: list[list[float]] = [[] for _ in range(clients)]
        used = processor_seconds(process.pid)
        begun = time.perf_counter()

        def ask(number: int) -> None:
            own = http.client.HTTPConnection("127.0.0.1", port)
            while time.perf_counter() < begun + seconds:
                found[number].append(request(own, asked[(number * 31 + len(found[number])) % len(asked)]))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together = [one for of_client in found for one in of_client]
        return {
            "first_answer_s": first, "one_client": spread(alone[20:]), "clients": clients,
            "per_second": len(together) / (time.perf_counter() - begun), "many_clients": spread(together),
            "processor_ms": 1e3 * (processor_seconds(process.pid) - used) / len(together),
            "memory": memory_mb(process.pid), "load": os.getloadavg()[0],
        }  # fmt: skip


@contextmanager
def server(bundle: Path, runtime: Runtime) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    """Start `mmrec serve` on a free port; give the process, the port and the time of the start."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", str(bundle), "--port", "0", "--runtime", runtime],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+),", process.stdout.readline())
        assert found is not None, "the server has not started"
        yield process, int(found[1]), started
    finally:
        process.terminate()
        process.wait(30)


def request(connection: http.client.HTTPConnection, body: bytes) -> float:
    """Return the seconds until the list of a history is read."""
    started = time.perf_counter()
    connection.request("POST", "/recommend", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return time.perf_counter() - started


def spread(seconds: list[float]) -> dict[str, float]:
    """Return median and 95 % quantile in ms."""
    return {"p50_ms": 1e3 * float(np.median(seconds)), "p95_ms": 1e3 * float(np.quantile(seconds, 0.95))}


def memory_mb(pid: int) -> dict[str, float]:
    """Return resident memory, and the part of it that is not a file's, which no other process shares."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return {name: int(re.search(rf"{name}:\s+(\d+)", lines)[1]) / 1e3 for name in ("VmRSS", "RssAnon")}  # type: ignore[index]


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(rows: dict[str, dict[str, Any]]) -> None:
    """Print one line for each measurement."""
    right = [Column(name, justify="right") for name in ("p50", "p95", "processor", f"{TOGETHER} at once, per second")]
    table = Table("ms per request", *right)
    for name, row in rows.items():
        times = row.get("one_client", row)
        used = f"{row['processor_ms']:.1f}" if "processor_ms" in times else ""
        together = f"{row['together_per_second']:.0f}" if "together_per_second" in row else ""
        table.add_row(name, f"{times['p50_ms']:.1f}", f"{times['p95_ms']:.1f}", used, together)
        if "per_second" in row:
            many = row["many_clients"]
            words = f"{name}, {row['clients']} clients: {row['per_second']:.0f} per second"
            cells = (f"{many['p50_ms']:.1f}", f"{many['p95_ms']:.1f}", f"{row['processor_ms']:.1f}", "")
            table.add_row(words, *cells)
    Console(width=110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="items of the large catalogue; 0 leaves it out")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0, help="of many clients")
    parser.add_argument("--folder", type=Path, help="keep the bundles here, and use those that are there")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results" / "serving.json")
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)  # a bundle to measure in this process
    parser.add_argument("--runtime", default="torch", help=argparse.SUPPRESS)  # of that bundle
    options = parser.parse_args()
    if options.side is not None:
        print(json.dumps(in_process(options.side, options.requests, options.runtime)))
        return
    machine = quiet_machine()
    rows: dict[str, dict[str, Any]] = {}
    indexes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mmrec_serving_") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        kinds: list[tuple[int, IndexKind]] = [(options.items, "exact")]
        kinds += [(options.many, "exact"), (options.many, "ivf")] if options.many else []
        for items, kind in kinds:
            name, bundle = f"{items:,} items, {kind}", folder / f"bundle_{items}_{kind}"
            if bundle.is_dir():
                indexes[name] = json.loads((bundle / "manifest.json").read_text())["index"]
            else:
                indexes[name] = make_bundle(folder, items, kind)
            side = [sys.executable, str(HERE / "serving.py"), "--side", str(bundle), "--requests"]
            small = items == options.items
            count = options.requests if small else options.requests // 5
            runtimes: tuple[Runtime, ...] = ("torch", "onnx") if small else ("torch",)
            for runtime in runtimes:
                row = f"{name}, {runtime}"
                rows[row] = measure([*side, str(count), "--runtime", runtime], threads=1)
                rows[f"{row}, HTTP"] = over_http(bundle, count, options.clients, options.seconds, runtime)
            if small:
                rows |= {f"{name}, RePlay 0.22 by {form}": row for form, row in replay(items, count).items()}
    show(rows)
    write_result(options.output, {"machine": machine, "indexes": indexes, "rows": rows})


if __name__ == "__main__":
    main()
