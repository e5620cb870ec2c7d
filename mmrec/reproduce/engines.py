"""Engines that execute runs, each in its own process: on this machine's devices or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any, Protocol

import torch

from mmrec.errors import UserError
from mmrec.reproduce.run import Run

POLL = 0.5  # seconds between two checks whether to stop
GRACE = 20.0  # seconds that a process has to end after SIGTERM
PASSED_ON = ("MMREC_", "OLLAMA_", "OMP_", "PYTHONPATH", "WANDB_")
"""Prefixes of the environment variables that are passed on to processes on other machines."""


class Engine(Protocol):
    """Executes runs.

    Args:
        workers: number of runs at once.
    """

    workers: int

    def __call__(self, runs: Sequence[Run], begins: Callable[[Run], None]) -> Generator[Run]:
        """Yield each run when its process has ended, with or without success.

        Closing the generator ends the processes; their last finished epochs are kept.

        Args:
            runs: the runs.
            begins: called with each run when its process starts.
        """


class LocalEngine:
    """Engine of this machine: one run after another, or several at once, each on its own GPU if there are any.

    On a CPU the cores are divided between the workers by `OMP_NUM_THREADS`, unless that is set.

    Args:
        workers: number of runs at once; None for one.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or 1

    def __call__(self, runs: Sequence[Run], begins: Callable[[Run], None]) -> Generator[Run]:
        """See `Engine`."""
        stopped = Event()
        places: SimpleQueue[dict[str, str]] = SimpleQueue()
        for place in _places(self.workers):
            places.put(place)

        def attend_one(run: Run) -> None:
            place = places.get()
            begins(run)
            try:
                attend(run.command(), run.log, place, Path.cwd(), stopped.is_set)
            finally:
                places.put(place)

        with ThreadPoolExecutor(self.workers) as pool:
            waiting = {pool.submit(attend_one, run): run for run in runs}
            try:
                for ended in as_completed(waiting):
                    ended.result()
                    yield waiting[ended]
            finally:
                stopped.set()
                pool.shutdown(cancel_futures=True)


class RayEngine:
    """Engine of a Ray cluster whose machines share this folder, the data and the paths of the environment.

    The cluster is the one that `RAY_ADDRESS` names or that this machine belongs to, else a cluster of this machine
    alone. Each run uses one GPU if the cluster has any.

    Args:
        workers: number of runs at once; None for one per GPU, or one per machine without GPUs.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, workers: int | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise UserError("ray is not installed: pip install 'mmrec[ray]'") from None
        self.ray = ray
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        gpus = int(ray.cluster_resources().get("GPU", 0))
        self.workers = workers or gpus or len(cores)
        share = min(min(cores), sum(cores) // self.workers)
        self.resources = {"num_gpus": 1} if gpus else {"num_cpus": max(1, share)}

    def __call__(self, runs: Sequence[Run], begins: Callable[[Run], None]) -> Generator[Run]:
        """See `Engine`."""
        ray = self.ray
        stop = ray.remote(Stop).options(num_cpus=0).remote()
        task = ray.remote(attend).options(max_retries=0, **self.resources)
        passed_on = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        here = Path.cwd()
        waiting = list(reversed(runs))
        working: dict[Any, Run] = {}
        try:
            while waiting or working:
                while waiting and len(working) < self.workers:
                    run = waiting.pop()
                    begins(run)
                    of_run = run.command(), here / run.log, passed_on, here, lambda: ray.get(stop.asked.remote())
                    working[task.remote(*of_run)] = run
                (ended,), _ = ray.wait(list(working))
                with suppress(ray.exceptions.RayError):  # a machine was lost: the run is not done
                    ray.get(ended)
                yield working.pop(ended)
        finally:
            if working:
                ray.get(stop.ask.remote())
                ray.wait(list(working), num_returns=len(working), timeout=2 * GRACE)
            ray.kill(stop)


class Stop:
    """Ray actor that tells runs on a cluster to stop.

    Cancelling their tasks instead could interrupt one while it starts a process, which would then be left behind.
    """

    def __init__(self) -> None:
        self._asked = False

    def ask(self) -> None:
        """Tell the runs to stop."""
        self._asked = True

    def asked(self) -> bool:
        """Return whether the runs were told to stop."""
        return self._asked


ENGINES: dict[str, type[LocalEngine] | type[RayEngine]] = {"local": LocalEngine, "ray": RayEngine}


def attend(
    command: list[str], log: Path, environment: dict[str, str], folder: Path, stopped: Callable[[], bool] | None = None
) -> None:
    """Run a command until it ends or is told to stop; all processes that it started are ended with it.

    Args:
        command: words of the command.
        log: file that its output is appended to.
        environment: environment variables, in addition to those of this process.
        folder: working folder of the command.
        stopped: called before the start and twice per second; returns whether to stop.
    """
    if stopped and stopped():
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},  # so that an error is the last line of the log
            start_new_session=True,  # so that Ctrl-C reaches this process alone
        )  # fmt: skip
        try:
            while process.poll() is None and not (stopped and stopped()):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything that it has started, by SIGTERM and then by SIGKILL."""
    for word, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, word)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)


def _places(workers: int) -> list[dict[str, str]]:
    """Return the environment of each worker: a GPU in turn, or a part of the cores."""
    if count := torch.cuda.device_count():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = visible.split(",") if visible else [str(number) for number in range(count)]
        return [{"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]} for number in range(workers)]
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return [{}] * workers
    return [{"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}] * workers
