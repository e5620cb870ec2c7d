"""The engine of a server: one thread that computes, a queue in front of it, and the model that can be exchanged."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrec.errors import UserError
from mmrec.inference.bundle import is_bundle
from mmrec.inference.bundle.manifest import FILE
from mmrec.inference.recommender import Question, Recommendation, TrainedRecommender, load
from mmrec.inference.serve.catalogue import Catalogue

log = logging.getLogger(__name__)


class Busy(Exception):
    """The queue is full."""


@dataclass(frozen=True)
class Served:
    """A model in service.

    Args:
        shop: the recommender.
        catalogue: its items.
        stamp: identity of the bundle's manifest on the disk; None for a run's folder.
        loaded: time of loading in seconds since 1970.
    """

    shop: TrainedRecommender
    catalogue: Catalogue
    stamp: tuple[int, int, int] | None
    loaded: float

    @classmethod
    def open(cls, path: Path) -> Served:
        """Open a bundle or a run, and answer once, so that the first request finds everything in memory.

        Raises:
            UserError: it cannot be opened.
        """
        stamp = stamp_of(path)
        shop = load(path)
        served = cls(shop, Catalogue(shop), stamp, time.time())
        if shop.model.reads_history:
            shop.recommend(shop.items["item"][:1].to_list(), k=1)
        return served


@dataclass
class Job:
    """Work for the engine, and the future of its result.

    Args:
        work: a question to a model, or a function.
        shop: the model that a question is for; None for a function.
        future: where the result goes.
    """

    work: Question | Callable[[], Any]
    shop: TrainedRecommender | None
    future: asyncio.Future[Any]


class Engine:
    """Computes answers in one thread. Questions that wait at the same time are answered as one batch.

    Args:
        path: a bundle or a run's folder.
        batch: questions that are answered together, at most.
        waiting: jobs in the queue, at most.

    Raises:
        UserError: the model cannot be opened.
    """

    def __init__(self, path: Path, batch: int, waiting: int) -> None:
        self.path = path
        self.served = Served.open(path)
        self.swaps = {"done": 0, "failed": 0}
        self._batch = batch
        self._waiting = waiting
        self._jobs: deque[Job] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")

    async def ask(self, shop: TrainedRecommender, question: Question) -> list[Recommendation]:
        """Return the list of a question.

        Raises:
            Busy: the queue is full.
        """
        made: list[Recommendation] = await self._put(Job(question, shop, asyncio.get_running_loop().create_future()))
        return made

    async def call(self, function: Callable[[], Any]) -> Any:
        """Return what a function returns, computed in the engine's thread.

        Raises:
            Busy: the queue is full.
        """
        return await self._put(Job(function, None, asyncio.get_running_loop().create_future()))

    @property
    def waiting(self) -> int:
        """Number of jobs in the queue."""
        return len(self._jobs)

    async def watch(self, seconds: float) -> None:
        """Look at the bundle's manifest again and again, and exchange the model when it has changed.

        The new model is opened while the old one answers. Requests in the queue keep the model they came for.
        """
        failed: tuple[int, int, int] | None = None
        while True:
            await asyncio.sleep(seconds)
            stamp = stamp_of(self.path)
            if stamp is None or stamp in (self.served.stamp, failed):
                continue
            try:
                loop = asyncio.get_running_loop()
                self.served = await loop.run_in_executor(self._loader, Served.open, self.path)
            except Exception as error:
                if stamp_of(self.path) != stamp:  # it was replaced again while it was read
                    continue
                self.swaps["failed"] += 1
                failed = stamp
                words = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
                log.error("the earlier model stays in service: %s", words)
            else:
                self.swaps["done"] += 1
                log.warning("%s: its new model is in service", self.path)

    def close(self) -> None:
        """End the thread when the queue is empty."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join(10)
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _put(self, job: Job) -> Any:
        with self._ready:
            if len(self._jobs) >= self._waiting:
                raise Busy
            self._jobs.append(job)
            self._ready.notify()
        return await job.future

    def _work(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._jobs or self._closed)
                if not self._jobs:
                    return
                jobs = self._take()
            self._settle(jobs)

    def _take(self) -> list[Job]:
        """Take the oldest job from the queue, and with a question the questions behind it to the same model."""
        jobs = [self._jobs.popleft()]
        while (
            self._jobs and len(jobs) < self._batch and jobs[0].shop is not None and self._jobs[0].shop is jobs[0].shop
        ):
            jobs.append(self._jobs.popleft())
        return jobs

    def _settle(self, jobs: list[Job]) -> None:
        """Compute jobs and hand over their results; those that nobody waits for any more are left out."""
        jobs = [job for job in jobs if not job.future.cancelled()]
        if not jobs:
            return
        results: list[Any]
        try:
            questions = [job.work for job in jobs if isinstance(job.work, Question)]
            shop = jobs[0].shop
            results = shop.answer(questions) if shop is not None else [job.work() for job in jobs if callable(job.work)]
        except Exception as error:
            results = [error] * len(jobs)
        jobs[0].future.get_loop().call_soon_threadsafe(_deliver, jobs, results)


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Return the identity of a bundle's manifest on the disk; None for another folder."""
    try:
        state = os.stat(path / FILE)
    except OSError:
        return None
    return (state.st_ino, state.st_mtime_ns, state.st_size) if is_bundle(path) else None


def _deliver(jobs: list[Job], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
