"""A server under load for some minutes: bounded requests, malformed ones among them, a new bundle every few seconds.

Ends with status 1 if an answer is not the one that its request should get, or if memory grows by more than a tenth
after the first third. Prints counts, times and memory, and writes them, with the machine's description, as JSON.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from harness import quiet_machine, write_result
from machine import REPOSITORY
from serving import make_bundle, memory_mb, questions, server, spread

PAUSE = 0.02  # seconds between two requests of a client
GROWTH = 1.1
WRONG: list[tuple[str, bytes, int]] = [
    ("/recommend", b"{", 422),
    ("/recommend", b"", 422),
    ("/recommend", b"\xff" * 40, 422),
    ("/recommend", b'{"history": "a"}', 422),
    ("/recommend", b'{"history": [], "k": 100000}', 422),
    ("/recommend", b'{"history": ["' + b"x" * 300 + b'"]}', 422),
    ("/recommend", b'{"history": [], "where": {"no": "such"}}', 400),
    ("/recommend", b"[" * 5000, 422),
    ("/recommend", b" " * (2**20 + 1), 413),
    ("/similar", b'{"item": "../../etc/passwd"}', 404),
    ("/explain", b'{"history": [], "item": "none"}', 404),
    ("/nowhere", b"{}", 404),
]
"""Path, body and the status that it must get."""


class Clients:
    """Threads that send requests until they are told to stop.

    Args:
        port: port of the server.
        bodies: bodies of good requests.
    """

    def __init__(self, port: int, bodies: list[bytes]) -> None:
        self.port = port
        self.bodies = bodies
        self.stop = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.surprises: Counter[str] = Counter()
        self.seconds: list[float] = []

    def run(self, number: int) -> None:
        """Send requests one after the other; every fifth is malformed."""
        draw = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stop.is_set():
            path, body, expected = "/recommend", draw.choice(self.bodies), 200
            if draw.random() < 0.2:
                path, body, expected = draw.choice(WRONG)
            started = time.perf_counter()
            try:
                connection.request("POST", path, body, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A body that is too large may be refused before it is sent whole.
                if expected != 413:
                    self.surprises[type(error).__name__] += 1
                continue
            self.statuses[answer.status] += 1
            if answer.status != expected:
                self.surprises[f"{answer.status} instead of {expected} for {path} {body[:40]!r}"] += 1
            if expected == 200:
                self.seconds.append(time.perf_counter() - started)
            time.sleep(PAUSE)


def replace(bundle: Path, by: Path) -> None:
    """Put a copy of a bundle in the place of another one, as `mmrec export` does."""
    partial, earlier = bundle.with_name(".partial"), bundle.with_name(".earlier")
    shutil.copytree(by, partial)
    os.utime(partial / "manifest.json")
    bundle.rename(earlier)
    partial.rename(bundle)
    shutil.rmtree(earlier)


def soak(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Load a server, and return what was seen."""
    for items in (options.items, options.items + 1000):
        if not (folder / f"bundle_{items}_exact").is_dir():
            make_bundle(folder, items, "exact")
    sources = [folder / f"bundle_{items}_exact" for items in (options.items, options.items + 1000)]
    served = folder / "served"
    shutil.rmtree(served, ignore_errors=True)
    shutil.copytree(sources[0], served)
    ids = json.loads((served / "items.json").read_text())
    bodies = [json.dumps({"history": one, "k": 10}).encode() for one in questions(ids, 300)]
    memory: list[float] = []
    with server(served) as (process, port, _):
        clients = Clients(port, bodies)
        threads = [threading.Thread(target=clients.run, args=(number,)) for number in range(options.clients)]
        for thread in threads:
            thread.start()
        ends, swaps = time.monotonic() + 60 * options.minutes, 0
        while time.monotonic() < ends:
            time.sleep(options.swap)
            swaps += 1
            replace(served, sources[swaps % 2])
            memory.append(memory_mb(process.pid)["RssAnon"])
        clients.stop.set()
        for thread in threads:
            thread.join()
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    taken = [line for line in text.splitlines() if line.startswith("mmrec_swaps_total")]
    return {
        "minutes": options.minutes, "statuses": dict(clients.statuses), "surprises": dict(clients.surprises),
        "replaced": swaps, "taken": taken, "good": spread(clients.seconds), "memory_mb": memory,
        "load": os.getloadavg()[0],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--swap", type=float, default=5.0, help="seconds between two bundles")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="keep the bundles here, and use those that are there")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "benchmarks" / "results" / "serving_soak.json")
    options = parser.parse_args()
    machine = quiet_machine()
    with tempfile.TemporaryDirectory(prefix="mmrec_soak_") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        seen = soak(folder, options)
    third = seen["memory_mb"][len(seen["memory_mb"]) // 3 :]
    print(f"{sum(seen['statuses'].values()):,} answers {seen['statuses']}, {seen['replaced']} bundles, {seen['taken']}")
    print(f"good requests: p50 {seen['good']['p50_ms']:.1f} ms, p95 {seen['good']['p95_ms']:.1f} ms")
    print(f"memory: {seen['memory_mb'][0]:.0f} MB at first, {third[0]:.0f} to {max(third):.0f} MB after a third")
    print(f"unexpected: {seen['surprises'] or 'nothing'}")
    write_result(options.output, {"machine": machine, **seen})
    if seen["surprises"] or max(third) > GROWTH * third[0]:
        sys.exit(1)


if __name__ == "__main__":
    main()
