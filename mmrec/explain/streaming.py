"""An explanation in parts: the grammar's sentences at once, then those of a language model when it has answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mmrec.errors import require
from mmrec.explain.asker import Asker
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.llm import FailureKind
from mmrec.explain.llm.base import within
from mmrec.explain.outcome import Explanation, Source
from mmrec.explain.packet import build_packet
from mmrec.explain.request import Request, RequestExplanation, explanation_of, recommendation_of_request
from mmrec.explain.statements import evidence_of
from mmrec.explain.writing.grammar import Sentence
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
        source: "facts" for the grammar alone, "llm" or "corrected" for the language model; its text takes the place of
            the grammar's.
        sentence: the next sentence; None at the end of a source.
        cause: at the end, in a few words why there is no text of this source; None if there is one.
        seconds: time since the request.
    """

    source: Source
    sentence: Sentence | None
    cause: str | None
    seconds: float


@dataclass(frozen=True)
class Answered:
    """What is known at once: the grammar's explanation, and what a language model is asked.

    Args:
        explanation: the grammar's explanation.
        question: evidence for the language model.
    """

    explanation: RequestExplanation
    question: Question


def answer_request(model: Recommender, knowledge: Knowledge, request: Request) -> Answered:
    """Return the grammar's explanation of a request, and the question by which a language model rewrites it.

    The model should be between `begin_evaluation()` and `end_evaluation()`.

    Raises:
        UserError: an item is not in the dataset.
    """
    recommendation = recommendation_of_request(model, request)
    evidence = evidence_of(recommendation, knowledge, request.read_images)
    packet = build_packet(recommendation, knowledge, read_images=request.read_images)
    return Answered(explanation_of(evidence), Question(packet, evidence))


def rewrite(question: Question, asker: Asker, writing: Way = "grounded", seconds: float = 20.0) -> Explanation:
    """Return the verified sentences of a language model; none, and the cause, where it failed or was slow.

    Args:
        question: what to explain.
        asker: the language model.
        writing: "grounded": the model chooses true statements; "free": it writes, and only verified sentences are kept.
        seconds: longest time that this may take.

    Raises:
        InvalidArgument: the time limit is not above 0.
    """
    require(seconds > 0, "seconds", seconds, "above 0")
    options = WritingOptions(way=writing, corrections=0, fallback=False)
    writer = Writer(asker, Prompt(None, writing), options)
    try:
        written = within(seconds, lambda: writer.write(question))
    except TimeoutError:
        return Explanation((), "none", cause=str(FailureKind.TIMEOUT))
    kept: list[Sentence] = []
    for sentence in written.sentences[:MOST_SENTENCES]:
        if sum(len(one.text) for one in kept) + len(sentence.text) > MOST_CHARACTERS:
            break
        kept.append(sentence)
    return replace(written, sentences=tuple(kept), source=written.source if kept else "none")


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
        writing: as in `rewrite`.
        seconds: longest time from the request to the last sentence.

    Raises:
        UserError: an item is not in the dataset.
        InvalidArgument: the time limit is not above 0.
    """
    require(seconds > 0, "seconds", seconds, "above 0")
    started = time.monotonic()

    def parts(source: Source, sentences: tuple[Sentence, ...], cause: str | None = None) -> Iterator[Event]:
        for sentence in sentences:
            yield Event(source, sentence, None, time.monotonic() - started)
        yield Event(source, None, cause, time.monotonic() - started)

    answered = answer_request(model, knowledge, request)
    yield from parts("facts", answered.explanation.sentences)
    if asker is not None:
        left = max(started + seconds - time.monotonic(), 1e-3)
        written = rewrite(answered.question, asker, writing, left)
        if written.sentences:
            yield from parts(written.source, written.sentences)
        else:
            yield from parts("llm", (), written.cause)
