"""An explanation in parts: the grammar's sentences at once, then those of a language model when it has answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from mmrec.errors import require
from mmrec.explain.asker import Asker
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import FailureKind
from mmrec.explain.llm.base import within
from mmrec.explain.outcome import Source
from mmrec.explain.packet import build_packet
from mmrec.explain.request import Request, recommendation_of_request
from mmrec.explain.statements import evidence_of
from mmrec.explain.writing.grammar import Sentence, write
from mmrec.explain.writing.plan import default_plan
from mmrec.explain.writing.prompt import Prompt
from mmrec.explain.writing.writer import Question, Way, Writer, WritingOptions
from mmrec.models.recommender import Recommender

MOST_SENTENCES = 6
"""Sentences of a language model that are passed on."""
MOST_CHARACTERS = 1500
"""Characters of these sentences together."""


@dataclass(frozen=True)
class Event:
    """One part of a streamed explanation.

    Args:
        source: "facts" for the grammar alone, "llm" for the language model; its text takes the place of the grammar's.
        sentence: the next sentence; None at the end of a source.
        cause: at the end, in a few words why there is no text of this source; None if there is one.
        seconds: time since the request.
    """

    source: Source
    sentence: Sentence | None
    cause: str | None
    seconds: float


def explain_stream(
    model: Recommender,
    knowledge: Knowledge,
    request: Request,
    asker: Asker | None = None,
    *,
    writing: Way = "grounded",
    seconds: float = 20.0,
) -> Iterator[Event]:
    """Yield the grammar's explanation sentence by sentence, then the language model's.

    Args:
        model: a trained model in evaluation mode, between `begin_evaluation()` and `end_evaluation()`.
        knowledge: facts of the items.
        request: the history and the item.
        asker: the language model, one for all requests; None for the grammar alone.
        writing: "grounded": the model chooses true statements; "free": it writes, and only verified sentences are
            passed on.
        seconds: longest time that the language model may take.

    Raises:
        UserError: an item is not in the dataset.
        InvalidArgument: the time limit is not above 0.
    """
    require(seconds > 0, "seconds", seconds, "above 0")
    started = time.monotonic()
    recommendation = recommendation_of_request(model, request)
    evidence = evidence_of(recommendation, knowledge, request.read_images)

    def event(source: Source, sentence: Sentence | None = None, cause: str | None = None) -> Event:
        return Event(source, sentence, cause, time.monotonic() - started)

    for sentence in write(default_plan(evidence), evidence):
        yield event("facts", sentence)
    yield event("facts")
    if asker is None:
        return
    question = Question(build_packet(recommendation, knowledge), evidence)
    options = WritingOptions(way=writing, corrections=0, fallback=False)
    writer = Writer(asker, Prompt(None, writing), options)
    try:
        written = within(started + seconds - time.monotonic(), lambda: writer.write(question))
    except TimeoutError:
        yield event("llm", cause=str(FailureKind.TIMEOUT))
        return
    room = MOST_CHARACTERS
    for sentence in written.sentences[:MOST_SENTENCES]:
        room -= len(sentence.text)
        if room < 0:
            break
        yield event("llm", sentence)
    yield event("llm", cause=None if written.sentences else written.cause)
