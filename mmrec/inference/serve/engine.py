"""The engine of a server: what computes the answers, and the model that can be exchanged."""

from __future__ import annotations

import asyncio
import logging
import os
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
from mmrec.inference.onnx import Runtime
from mmrec.inference.opening import load
from mmrec.inference.questions import Question, Recommendation
from mmrec.inference.recommender import TrainedRecommender
from mmrec.inference.serve.catalogue import Catalogue

log = logging.getLogger(__name__)


class Busy(Exception):
    """Too many requests wait."""


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
    def open(cls, path: Path, runtime: Runtime) -> Served:
        """Open a bundle or a run, and answer once, so that the first request finds everything in memory.

        Raises:
            UserError: it cannot be opened.
        """
        stamp = stamp_of(path)
        shop = load(path, runtime)
        served = cls(shop, Catalogue(shop), stamp, time.time())
        if shop.model.reads_history:
            shop.recommend(shop.items["item"][:1].to_list(), k=1)
        return served


@dataclass(frozen=True)
class Waiting:
    """A question that waits for its answer.

    Args:
        shop: the model that it is for.
        question: the question.
        future: where the list goes.
    """

    shop: TrainedRecommender
    question: Question
    future: asyncio.Future[list[Recommendation]]


class Engine:
    """Computes answers. Questions that wait at the same time are answered as one batch.

    A batch is computed in the thread of the event loop, since the way to another thread and back takes as long as a
    list, and requests that arrive meanwhile are the next batch. All else is computed in one other thread.

    Args:
        path: a bundle or a run's folder.
        batch: questions that are answered together, at most.
        waiting: questions or other jobs that wait, at most.
        runtime: what computes the scores of a bundle.

    Raises:
        UserError: the model cannot be opened.
    """

    def __init__(self, path: Path, *, batch: int, waiting: int, runtime: Runtime = "torch") -> None:
        self.path = path
        self.runtime: Runtime = runtime
        self.served = Served.open(path, runtime)
        self.swaps = {"done": 0, "failed": 0}
        self._batch = batch
        self._most = waiting
        self._questions: deque[Waiting] = deque()
        self._calls = 0
        self._caller = ThreadPoolExecutor(1, thread_name_prefix="caller")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")

    async def ask(self, shop: TrainedRecommender, question: Question) -> list[Recommendation]:
        """Return the list of a question.

        Raises:
            Busy: too many questions wait.
        """
        if len(self._questions) >= self._most:
            raise Busy
        loop = asyncio.get_running_loop()
        own = Waiting(shop, question, loop.create_future())
        self._questions.append(own)
        if len(self._questions) == 1:
            loop.call_soon(self._answer)
        return await own.future

    async def call(self, function: Callable[[], Any]) -> Any:
        """Return what a function returns, computed in the other thread.

        Raises:
            Busy: too many jobs wait.
        """
        if self._calls >= self._most:
            raise Busy
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._caller, function)
        finally:
            self._calls -= 1

    @property
    def waiting(self) -> int:
        """Number of questions and other jobs that wait."""
        return len(self._questions) + self._calls

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
                self.served = await loop.run_in_executor(self._loader, Served.open, self.path, self.runtime)
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
        """End the threads."""
        for pool in (self._caller, self._loader):
            pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self) -> None:
        """Answer the oldest question, and together with it those behind it that are for the same model."""
        batch = [self._questions.popleft()]
        while self._questions and len(batch) < self._batch and self._questions[0].shop is batch[0].shop:
            batch.append(self._questions.popleft())
        if self._questions:
            asyncio.get_running_loop().call_soon(self._answer)
        batch = [one for one in batch if not one.future.done()]  # nobody waits for the others any more
        if not batch:
            return
        try:
            lists = batch[0].shop.answer([one.question for one in batch])
        except Exception as error:
            for one in batch:
                one.future.set_exception(error)
        else:
            for one, made in zip(batch, lists, strict=True):
                one.future.set_result(made)


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Return the identity of a bundle's manifest on the disk; None for another folder."""
    try:
        state = os.stat(path / FILE)
    except OSError:
        return None
    return (state.st_ino, state.st_mtime_ns, state.st_size) if is_bundle(path) else None
