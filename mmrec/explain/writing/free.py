"""Free writing: a language model's own text, of which only verified sentences are kept (eq. 17 and section 3.5.2)."""

from __future__ import annotations

from collections.abc import Mapping

from mmrec.explain.llm.base import FailureKind, LLMFailure
from mmrec.explain.llm.loops import loop_of
from mmrec.explain.verify import Verdict, Verifier
from mmrec.explain.writing.grammar import Sentence

MAX_EXPLANATION = 600
"""Characters. Three sentences need about half; a small model that is stuck would run on to the limit of tokens."""
MIN_EXPLANATION = 20
"""Characters. A model that may say nothing does so, because a sentence is harder."""

TEXT_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"explanation": {"type": "string", "minLength": MIN_EXPLANATION, "maxLength": MAX_EXPLANATION}},
    "required": ["explanation"],
    "additionalProperties": False,
}
"""JSON schema of a free answer."""


def parse_text(content: Mapping[str, object]) -> str:
    """Read the text from a model's answer.

    Raises:
        LLMFailure: wrong schema, empty text, a text in a loop, or one that reached its limit: decoding by the schema
            cuts it off there and closes the JSON, so that it looks whole.
    """
    text = content.get("explanation")
    if not isinstance(text, str):
        raise LLMFailure(FailureKind.SCHEMA, "wrong schema: needs explanation (text)")
    plain = " ".join(text.split())
    if not plain:
        raise LLMFailure(FailureKind.EMPTY, "empty text")
    if loop := loop_of(plain.casefold()):
        raise LLMFailure(FailureKind.RUNAWAY, f"runaway: {loop}")
    if len(text) >= MAX_EXPLANATION:
        raise LLMFailure(FailureKind.TRUNCATED, f"truncated: no end after {MAX_EXPLANATION} characters")
    return plain


def kept_sentences(verdict: Verdict, verifier: Verifier) -> list[Sentence]:
    """Return the sentences of a text that hold, if one of them rests on a statement; none otherwise.

    Without a sentence that does not hold, "it" in the next one can mean something else, so that what is left is
    verified again until all of it holds.
    """
    while any(sentence.violation for sentence in verdict.sentences):
        verdict = verifier(" ".join(s.text for s in verdict.sentences if s.violation is None))
    kept = [Sentence(s.text, s.statements, s.spans) for s in verdict.sentences]
    return kept if any(sentence.statements for sentence in kept) else []
