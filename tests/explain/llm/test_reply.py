import json

import pytest

from mmrec.explain.llm import FailureKind, LLMFailure, parse_reply
from mmrec.explain.llm.reply import MAX_CITED, MAX_EXPLANATION, MAX_TITLE


def reply(text, cited=()):
    return json.dumps({"explanation": text, "cited_history": list(cited)})


def test_long_replies_with_many_words_are_valid():
    text = " ".join(f"word{i}" for i in range(60))
    assert parse_reply(reply(text, ["x" * MAX_TITLE] * MAX_CITED)).explanation == text


@pytest.mark.parametrize(
    "text",
    [
        "You liked Night Train. " + "It is a good film. " * 3,
        "and so it is a film about a man who is not at home, " * 3,
        "very good film and " * 30,
    ],
)
def test_loops_are_runaways(text):
    with pytest.raises(LLMFailure) as failure:
        parse_reply(reply(text))
    assert failure.value.kind is FailureKind.RUNAWAY


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (reply(" ".join(f"word{i}" for i in range(900))[:MAX_EXPLANATION]), FailureKind.TRUNCATED),
        (reply("x", ["a"] * (MAX_CITED + 1)), FailureKind.SCHEMA),
        (reply("x", ["a" * (MAX_TITLE + 1)]), FailureKind.SCHEMA),
        ("[" * 100_000, FailureKind.INVALID_JSON),
    ],
)
def test_replies_that_reach_a_bound(content, kind):
    with pytest.raises(LLMFailure) as failure:
        parse_reply(content)
    assert failure.value.kind is kind


def test_a_director_may_be_named_in_every_sentence():
    said = "It is directed by Ana Lopez as well. The train of it is a film directed by Ana Lopez. You know Ana Lopez."
    assert parse_reply(reply(said)).explanation == said
