import json

import pytest

from mmrec.explain.llm import FailureKind, LLMFailure
from mmrec.explain.llm.reply import parse_object
from mmrec.explain.writing.free import MAX_EXPLANATION, parse_text


def test_long_replies_with_many_words_are_valid():
    text = " ".join(f"word{i}" for i in range(60))
    assert parse_text({"explanation": text}) == text


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
        parse_text({"explanation": text})
    assert failure.value.kind is FailureKind.RUNAWAY


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"explanation": " ".join(f"word{i}" for i in range(900))[:MAX_EXPLANATION]}, FailureKind.TRUNCATED),
        ({"explanation": 5}, FailureKind.SCHEMA),
        ({}, FailureKind.SCHEMA),
        ({"explanation": " "}, FailureKind.EMPTY),
    ],
)
def test_texts_that_cannot_be_used(content, kind):
    with pytest.raises(LLMFailure) as failure:
        parse_text(content)
    assert failure.value.kind is kind


def test_a_director_may_be_named_in_every_sentence():
    said = "It is directed by Ana Lopez as well. The train of it is a film directed by Ana Lopez. You know Ana Lopez."
    assert parse_text({"explanation": said}) == said


@pytest.mark.parametrize(
    "reply",
    [
        '{"a": "b"}',
        '```json\n{"a": "b"}\n```',
        '```\n{"a": "b"}```',
        '<think>the {"a": "c"} is\nwrong</think>\n{"a": "b"}',
        '<think>hm</think>```json\n{"a": "b"}\n```',
        'Here it is: {"a": "b"} I hope it helps',
    ],
)
def test_fences_and_thoughts_around_the_object_are_skipped(reply):
    assert parse_object(reply) == {"a": "b"}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [("no JSON", FailureKind.INVALID_JSON), ("[" * 100_000, FailureKind.INVALID_JSON), ("5", FailureKind.SCHEMA),
     ('["a"]', FailureKind.SCHEMA), ("<think>no end", FailureKind.INVALID_JSON), ("{" * 9, FailureKind.INVALID_JSON)],
)  # fmt: skip
def test_replies_without_an_object(reply, kind):
    with pytest.raises(LLMFailure) as failure:
        parse_object(reply)
    assert failure.value.kind is kind


def test_foreign_text_is_cleaned_where_it_enters():
    data = parse_object(json.dumps({"a\u0007": "x\ud800y\u202ez\u001b[31m\u200b\n.", "n": [{"b": "\x00c"}, 5]}))
    assert data == {"a": "xyz[31m .", "n": [{"b": "c"}, 5]}
    assert str(data).encode("utf-8")
