"""The arms of the evaluation: what the language model is shown, and what is done with its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mmrec.explain.asker import Asker
from mmrec.explain.outcome import Explanation
from mmrec.explain.packet import Packet
from mmrec.explain.similarity import Similarity
from mmrec.explain.statements import Evidence
from mmrec.explain.together import in_order
from mmrec.explain.writing.prompt import Prompt
from mmrec.explain.writing.writer import Question, Way, Writer, WritingOptions
from mmrec.utils.files import write_whole


@dataclass(frozen=True)
class Arm:
    """One way to explain.

    Args:
        title: name in the table.
        asks: whether the language model is asked at all.
        way: "grounded" or "free".
        shown: what the model is shown: "own" statements, "none" or, as a negative control, those of another pair.
        verified: reject texts that do not hold; the grammar writes in their place.
        corrected: ask for a rejected text again, and keep its sentences that hold.
    """

    title: str
    asks: bool = True
    way: Way = "free"
    shown: str = "own"
    verified: bool = False
    corrected: bool = False


ARMS = {
    "facts": Arm("grammar, no LLM", asks=False, way="grounded", verified=True),
    "grounded": Arm("LLM's plan, grammar", way="grounded", verified=True),
    "no_facts": Arm("LLM without statements", shown="none"),
    "free": Arm("LLM with statements"),
    "verified": Arm("LLM with statements, verified", verified=True),
    "corrected": Arm("LLM with statements, verified, corrected", verified=True, corrected=True),
    "shuffled": Arm("LLM with another item's statements", shown="shuffled"),
}
BASE = "free"
"""The arm that the others are compared with."""


@dataclass(frozen=True)
class Case:
    """What the arms explain: packet, statements and interest of each pair are in a `Question`."""

    questions: Sequence[Question]
    prompts: Mapping[Way, Prompt]
    asker: Asker
    corrections: int = 1
    similarity: Similarity | None = None
    least: float | None = None


def shown_instead(questions: Sequence[Question], shown: str) -> list[tuple[Packet, Evidence] | None]:
    """Return what the model is shown of each pair instead of the truth; None for the truth."""
    if shown == "own":
        return [None for _ in questions]
    if shown == "none":
        return [(_without_facts(q.packet), replace(q.evidence, statements=())) for q in questions]
    others = [*questions[1:], *questions[:1]]
    return [
        (
            replace(other.packet, title=q.packet.title, history=_without_facts(q.packet).history),
            replace(q.evidence, statements=other.evidence.statements),
        )
        for q, other in zip(questions, others, strict=True)
    ]


def _without_facts(packet: Packet) -> Packet:
    history = [replace(item, shared={}) for item in packet.history]
    return replace(packet, facts={}, keywords=[], visual=[], history=history)


def write_arm(name: str, case: Case) -> list[Explanation]:
    """Let an arm explain every pair; texts that the model does not give stay empty unless the arm is verified."""
    arm = ARMS[name]
    options = WritingOptions(
        way=arm.way,
        corrections=case.corrections if arm.corrected else 0,
        verified=arm.verified,
        fallback=arm.verified,
        least_similarity=case.least if arm.verified else None,
    )
    asker = case.asker if arm.asks else Asker(None, None)
    writer = Writer(asker, case.prompts[arm.way], options, case.similarity)
    questions = [
        replace(question, shown=instead)
        for question, instead in zip(case.questions, shown_instead(case.questions, arm.shown), strict=True)
    ]
    return list(in_order(writer.write, asker.concurrency, name, questions))


def save_texts(file: Path, written: Sequence[Explanation], questions: Sequence[Question]) -> None:
    """Write the texts of an arm with their true packets, one JSON line each."""
    pairs = zip(written, questions, strict=True)
    rows = ({"text": one.text, **asdict(one), "packet": asdict(question.packet)} for one, question in pairs)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    write_whole(file, "".join(f"{line}\n" for line in lines))
