import base64
import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from mmrec.errors import UserError
from mmrec.explain import ExplanationPipeline
from mmrec.explain.asker import MAX_LOST
from mmrec.explain.llm import FailureKind, LLMFailure, OllamaLLM
from tests.explain.conftest import GOOD, hangs, says, trickles

LIMIT = 0.4
LOOP = json.dumps({"explanation": "very good film and " * 30, "cited_history": []})


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_good_reply_over_the_wire(ollama):
    llm = OllamaLLM("tiny", ollama.host, seed=7)
    assert llm.digest() == "d-tiny"
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
    summary = ExplanationPipeline(knowledge, llm, cache=False).run([recommendation] * 9, tmp_path / "o.jsonl")
    assert summary.causes == {"connection lost": 6, "invalid JSON": 3}


def test_retry_survives_one_server_error(ollama):
    def chat(handler):
        says(json.dumps(GOOD), status=500 if len(ollama.questions) == 1 else 200)(handler)

    ollama.chat = chat
    assert OllamaLLM("tiny", ollama.host).generate("why?").cited_history == ("Night Train",)


def test_pictures_go_along_and_unreadable_ones_do_not(ollama, dataset):
    (dataset / "broken.png").write_bytes(b"no picture")
    pictures = [dataset / name for name in ("blue.png", "broken.png", "gone.png")]
    llm = OllamaLLM("seeing", ollama.host, images=True)
    assert llm.digest() == "d-seeing"
    llm.generate("why?", pictures)
    OllamaLLM("seeing", ollama.host).generate("why?", pictures)
    (shown,) = ollama.questions[0]["messages"][0]["images"]
    assert Image.open(io.BytesIO(base64.b64decode(shown))).size == (64, 48)
    assert "images" not in ollama.questions[1]["messages"][0]


def test_model_that_cannot_see(ollama):
    with pytest.raises(LLMFailure, match="images to false") as failure:
        OllamaLLM("tiny", ollama.host, images=True).digest()
    assert failure.value.kind is FailureKind.NO_VISION


def test_no_more_questions_at_a_time_than_allowed(ollama):
    lock, now, most = threading.Lock(), [], []

    def chat(handler):
        with lock:
            now.append(handler)
            most.append(len(now))
        time.sleep(0.3)
        with lock:
            now.remove(handler)
        says(json.dumps(GOOD))(handler)

    ollama.chat = chat
    llm = OllamaLLM("tiny", ollama.host, timeout=0.8, concurrency=2)
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(llm.generate, "abcdef"))  # the last ones wait for 0.6 s, which is not of their time
    assert len(replies) == 6
    assert max(most) == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"model": ""},
        {"timeout": 0},
        {"retries": -1},
        {"concurrency": 0},
        {"host": "http://a:port"},
        {"host": "ftp://a"},
    ],
)
def test_wrong_options(bad):
    with pytest.raises(UserError, match="OllamaLLM"):
        OllamaLLM(**{"model": "tiny", **bad})
