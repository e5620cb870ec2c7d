import json
import socket

import pytest

from mmrec.errors import UserError
from mmrec.explain import CachedLLM, ExplanationPipeline, LLMFailure, OllamaLLM
from mmrec.explain.asker import MAX_LOST
from mmrec.explain.llm import parse_reply
from tests.explain.conftest import GOOD, hangs, says, trickles

LIMIT = 0.4
LOOP = json.dumps({"explanation": "very good film and " * 30, "cited_history": []})


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_good_reply_over_the_wire(ollama):
    llm = OllamaLLM("tiny", ollama.host, seed=7)
    assert llm.digest() == "d1"
    assert llm.generate("why?").explanation == GOOD["explanation"]
    asked = ollama.questions[0]
    assert asked["options"]["temperature"] == 0
    assert asked["options"]["seed"] == 7
    assert asked["options"]["num_predict"] > 0
    assert asked["format"]["required"] == ["explanation", "cited_history"]


@pytest.mark.parametrize(
    ("chat", "cause", "asked"),
    [
        (says("no JSON"), "invalid JSON", 1),
        (says('{"explanation": 5, "cited_history": []}'), "wrong schema", 1),
        (says('["a"]'), "wrong schema", 1),
        (says('{"explanation": "x"}'), "wrong schema", 1),
        (says('{"explanation": " ", "cited_history": []}'), "empty text", 1),
        (says(LOOP), "runaway", 1),
        (says('{"explanation": "x', "length"), "truncated", 1),
        (says("", status=500), "server error", 2),
        (lambda handler: handler.reply(["no message"]), "server error", 2),
        (says(json.dumps(GOOD), cut=9), "connection lost", 2),
        (lambda handler: handler.connection.close(), "connection lost", 2),
        (hangs, "timeout", 1),
        (trickles, "timeout", 1),
    ],
)
def test_each_fault_ends_in_a_template(chat, cause, asked, ollama, knowledge, recommendation, tmp_path, stopwatch):
    ollama.chat = chat
    llm = OllamaLLM("tiny", ollama.host, timeout=LIMIT, retries=1)
    summary = ExplanationPipeline(knowledge, llm).run([recommendation], tmp_path / "out.jsonl")
    assert stopwatch() < LIMIT + 1
    assert summary.sources == {"template": 1}
    assert summary.causes == {cause: 1}
    (row,) = rows(tmp_path / "out.jsonl")
    assert row["source"] == "template"
    assert row["reason"].startswith(cause)
    assert len(ollama.questions) == asked


def test_refused_connection_names_the_address(knowledge, recommendation, tmp_path):
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        summary = ExplanationPipeline(knowledge, OllamaLLM("tiny", host)).run(
            [recommendation] * 2, tmp_path / "o.jsonl"
        )
    assert summary.causes == {"no server": 2}
    assert rows(tmp_path / "o.jsonl")[0]["reason"] == f"no server at {host}"


def test_server_that_hangs_from_the_start(ollama, knowledge, recommendation, tmp_path, stopwatch):
    ollama.RequestHandlerClass = type("Hung", (ollama.RequestHandlerClass,), {"do_GET": hangs})
    llm = OllamaLLM("tiny", ollama.host, timeout=LIMIT)
    summary = ExplanationPipeline(knowledge, llm).run([recommendation] * 20, tmp_path / "o.jsonl")
    assert summary.causes == {"timeout": 20}
    assert stopwatch() < LIMIT + 1


def test_model_that_is_not_pulled(ollama):
    with pytest.raises(LLMFailure, match="ollama pull other"):
        OllamaLLM("other", ollama.host).digest()


def test_lost_server_is_not_asked_again(ollama, knowledge, recommendation, tmp_path):
    ollama.chat = hangs
    llm = OllamaLLM("tiny", ollama.host, timeout=0.2, concurrency=1)
    summary = ExplanationPipeline(knowledge, llm).run([recommendation] * 10, tmp_path / "o.jsonl")
    assert summary.causes == {"timeout": MAX_LOST, "server lost": 10 - MAX_LOST}
    assert len(ollama.questions) == MAX_LOST


def test_bad_replies_between_lost_ones_keep_the_server(ollama, knowledge, recommendation, tmp_path):
    def chat(handler):
        n = len(ollama.questions)
        says("no JSON", cut=0 if n % 3 == 0 else 4)(handler)

    ollama.chat = chat
    llm = OllamaLLM("tiny", ollama.host, retries=0, concurrency=1)
    summary = ExplanationPipeline(knowledge, llm).run([recommendation] * 9, tmp_path / "o.jsonl")
    assert summary.causes == {"connection lost": 6, "invalid JSON": 3}


def test_retry_survives_one_server_error(ollama):
    def chat(handler):
        says(json.dumps(GOOD), status=500 if len(ollama.questions) == 1 else 200)(handler)

    ollama.chat = chat
    assert OllamaLLM("tiny", ollama.host).generate("why?").cited_history == ("Night Train",)


def test_cache_answers_without_the_server_and_heals(ollama, tmp_path):
    first = CachedLLM(OllamaLLM("tiny", ollama.host), tmp_path)
    assert not first.generate("why?").cached
    assert first.generate("why?").cached
    assert not CachedLLM(OllamaLLM("tiny", ollama.host, seed=1), tmp_path).generate("why?").cached
    for file in tmp_path.iterdir():
        file.write_text("{damaged")
    assert not first.generate("why?").cached
    assert first.generate("why?").cached
    assert len(ollama.questions) == 3


def test_failures_are_not_cached(ollama, tmp_path):
    ollama.chat = says("no JSON")
    llm = CachedLLM(OllamaLLM("tiny", ollama.host), tmp_path / "cache")
    for _ in range(2):
        with pytest.raises(LLMFailure, match="invalid JSON"):
            llm.generate("why?")
    assert len(ollama.questions) == 2


def test_long_replies_with_many_words_are_no_runaway():
    text = " ".join(f"word{i}" for i in range(60))
    assert parse_reply(json.dumps({"explanation": text, "cited_history": []})).explanation == text


@pytest.mark.parametrize(
    "bad", [{"model": ""}, {"timeout": 0}, {"retries": -1}, {"host": "http://a:port"}, {"host": "ftp://a"}]
)
def test_wrong_options(bad):
    with pytest.raises(UserError, match="OllamaLLM"):
        OllamaLLM(**{"model": "tiny", **bad})
