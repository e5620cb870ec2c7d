"""Streamed explanations: the facts at once, then the sentences of a language model, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

from mmrec.explain.asker import Asker
from mmrec.explain.llm import LLM
from mmrec.explain.outcome import Explanation
from mmrec.explain.request import RequestExplanation
from mmrec.explain.streaming import Answered, rewrite
from mmrec.explain.writing.grammar import Sentence
from mmrec.explain.writing.writer import Question, Way
from mmrec.inference.serve.options import ServeOptions
from mmrec.training.instantiate import build

AGAIN = 30.0
"""Seconds after which a language model that was down is asked again."""
BEAT = 5.0
"""Seconds between two signs of life of a stream; proxies close connections that are silent for a minute."""
GRACE = 8.0
"""Seconds that a stream waits for the language model after the server was told to end."""
STANDS = "the sentences from facts stand"


class Full(Exception):
    """Too many explanations wait for the language model."""


class LanguageModel:
    """The language model of a server, asked in threads, as many at once as it takes; others wait for their turn.

    Args:
        asker: asks the model.
        writing: as in `mmrec.explain.streaming.rewrite`.
        seconds: time limit of one explanation, the wait for its turn included.
        most: explanations that are written or wait, at most.
    """

    def __init__(self, asker: Asker, writing: Way, seconds: float, most: int) -> None:
        self.asker = asker
        self._writing = writing
        self._seconds = seconds
        self._most = most
        self._open = 0
        self._turns = asyncio.Semaphore(asker.concurrency)

    @classmethod
    def of(cls, options: ServeOptions) -> LanguageModel | None:
        """Return the language model of a server's options; None if they name none.

        Raises:
            UserError: its class or its options are wrong.
        """
        if options.llm is None:
            return None
        llm = cast(LLM, build(object, options.llm))
        return cls(Asker(llm, None, AGAIN), options.writing, options.llm_timeout, options.streams)

    async def write(self, question: Question) -> Explanation:
        """Return the verified sentences of the model, or none and the cause.

        Whoever gives up while it waits for its turn costs the model nothing. A turn ends when the model has answered,
        even if nobody waits for it any more, so that a slow model is never asked more questions than it takes.

        Raises:
            Full: too many explanations wait.
            TimeoutError: its turn did not come in time.
        """
        if self._open >= self._most:
            raise Full
        self._open += 1
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
            left = max(deadline - loop.time(), 1e-3)
            return await _in_thread(lambda: rewrite(question, self.asker, self._writing, left), self._turns.release)
        finally:
            self._open -= 1


class Ending:
    """Knows when the process was told to end."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Notice SIGINT and SIGTERM inside, and pass them on to the handlers of before."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():  # only the main thread is given signals
            yield
            return

        def chained(then: Any) -> Callable[[int, FrameType | None], None]:
            def handle(signum: int, frame: FrameType | None) -> None:
                loop.call_soon_threadsafe(self.event.set)
                if callable(then):
                    then(signum, frame)

            return handle

        before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
        for signum, then in before.items():
            signal.signal(signum, chained(then))
        try:
            yield
        finally:
            for signum, then in before.items():
                signal.signal(signum, then)


async def events(
    answered: Answered, model: LanguageModel | None, ending: Ending, count: Callable[[str], None]
) -> AsyncIterator[str]:
    """Yield the events of one explanation: `facts`, then a `sentence` each, and `end` in every case.

    Args:
        answered: the answer from facts, and the question to the language model.
        model: the language model; None for a server without one.
        ending: tells when the server was told to end.
        count: is told whose text stands at the end.
    """
    facts = answered.explanation
    yield event("facts", answer(facts))
    written, problem = Explanation((), "none"), "this server has no language model"
    if model is not None:
        writing = asyncio.ensure_future(model.write(answered.question))
        ended = asyncio.ensure_future(ending.event.wait())
        try:
            while not writing.done() and not ended.done():
                await asyncio.wait((writing, ended), timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
                if not writing.done():
                    yield ": the language model has not answered yet\n\n"
            await asyncio.wait((writing,), timeout=GRACE)
            written, problem = _result(writing)
        finally:  # also where the client has left
            writing.cancel()
            ended.cancel()
    for sentence in written.sentences:
        yield event("sentence", plain(sentence))
    if written.sentences:
        yield event("end", {"source": written.source, "text": written.text, "detail": None})
    else:
        yield event("end", {"source": "facts", "text": facts.text, "detail": f"{problem}: {STANDS}"})
    count(written.source if written.sentences else "facts")


def answer(made: RequestExplanation) -> dict[str, Any]:
    """Return an explanation from facts in the form of an answer."""
    return {
        "text": made.text,
        "sentences": [plain(one) for one in made.sentences],
        "statements": [{"id": one.id, "kind": str(one.kind), "text": one.text} for one in made.statements],
    }


def plain(sentence: Sentence) -> dict[str, Any]:
    """Return a sentence in the form of an answer."""
    return {"text": sentence.text, "statements": list(sentence.statements)}


def event(name: str, data: dict[str, Any]) -> str:
    """Return a server-sent event; JSON has no line breaks, which would end it."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _result(writing: asyncio.Future[Explanation]) -> tuple[Explanation, str]:
    """Return what a language model has written, and why that is nothing, without addresses or names of models."""
    nothing = Explanation((), "none")
    if not writing.done():
        return nothing, "the server is ending"
    try:
        written = writing.result()
    except Full:
        return nothing, "too many explanations wait for the language model"
    except TimeoutError:
        return nothing, "the language model gave no usable text (timeout)"
    return written, f"the language model gave no usable text ({written.cause})"


async def _in_thread(function: Callable[[], Explanation], after: Callable[[], None]) -> Explanation:
    """Return what a function returns in a daemon thread, and call `after` in the loop when it has returned.

    The threads of a pool would keep the process from ending while a model is slow.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Explanation] = loop.create_future()

    def finish(made: Explanation | None, error: BaseException | None) -> None:
        after()
        if future.done():  # nobody waits any more
            return
        if made is not None:
            future.set_result(made)
        elif error is not None:
            future.set_exception(error)

    def work() -> None:
        made, failed = None, None
        try:
            made = function()
        except BaseException as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, made, failed)

    threading.Thread(target=work, daemon=True, name="writer").start()
    return await future
