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
from mmrec.explain.asker import MAX_LOST
from mmrec.explain.llm import FailureKind, LLMFailure, OllamaLLM
from mmrec.explain.llm.reply import MAX_REPLY_BYTES
from mmrec.explain.pipeline import ExplanationPipeline
from tests.explain.conftest import GOOD, SCHEMA, hangs, says, trickles

LIMIT = 0.8


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_good_reply_over_the_wire(ollama):
    llm = OllamaLLM("tiny", ollama.host, seed=7)
    assert llm.digest() == "d-tiny"
    assert llm.generate("why?", SCHEMA).content == GOOD
    asked = ollama.questions[0]
    assert asked["options"]["temperature"] == 0
    assert asked["options"]["seed"] == 7
    assert asked["options"]["num_predict"] > 0
    assert asked["format"] == SCHEMA


@pytest.mark.parametrize(
    ("chat", "cause", "asked"),
    [
        (says("no JSON"), "invalid JSON", 1),
        (says('{"reasons": 5, "tone": "plain"}'), "wrong schema", 1),
        (says('["a"]'), "wrong schema", 1),
        (says('{"tone": "plain"}'), "wrong schema", 1),
        (says('{"explanation": "x', "length"), "truncated", 1),
        (says("", status=500), "server error", 2),
        (lambda handler: handler.reply(["no message"]), "server error", 2),
        (says(json.dumps(GOOD), cut=9), "connection lost", 2),
        (lambda handler: handler.connection.close(), "connection lost", 2),
        (hangs, "timeout", 1),
        (trickles, "timeout", 1),
    ],
)
def test_each_fault_ends_in_the_grammar(chat, cause, asked, ollama, knowledge, recommendation, tmp_path, stopwatch):
    ollama.chat = chat
    llm = OllamaLLM("tiny", ollama.host, timeout=LIMIT, retries=1)
    summary = ExplanationPipeline(knowledge, llm).run([recommendation], tmp_path / "out.jsonl")
    assert stopwatch() < LIMIT + 2
    assert summary.sources == {"facts": 1}
    assert summary.causes == {cause: 1}
    (row,) = rows(tmp_path / "out.jsonl")
    assert row["source"] == "facts"
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
    assert stopwatch() < LIMIT + 2


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
    assert OllamaLLM("tiny", ollama.host).generate("why?", SCHEMA).content == GOOD


def test_images_go_along_and_unreadable_ones_do_not(ollama, dataset):
    (dataset / "broken.png").write_bytes(b"not an image")
    images = [dataset / name for name in ("blue.png", "broken.png", "gone.png")]
    llm = OllamaLLM("seeing", ollama.host, images=True)
    assert llm.digest() == "d-seeing"
    llm.generate("why?", SCHEMA, images)
    OllamaLLM("seeing", ollama.host).generate("why?", SCHEMA, images)
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
        # The last ones wait for 0.6 s, which does not count.
        replies = list(pool.map(lambda prompt: llm.generate(prompt, SCHEMA), "abcdef"))
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


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    chunk = b" " * 65_536
    handler.server.sent = 0
    try:
        while not handler.server.stop.is_set():
            handler.server.sent += handler.wfile.write(chunk)
    except OSError:
        handler.server.closed = True


def test_an_endless_reply_is_cut_off_and_the_connection_closed(ollama, stopwatch):
    ollama.chat = endless
    with pytest.raises(LLMFailure, match="reply too long"):
        OllamaLLM("tiny", ollama.host, timeout=20).generate("why?", SCHEMA)
    assert stopwatch() < 5
    deadline = time.monotonic() + 5
    while not getattr(ollama, "closed", False) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ollama.closed
    assert ollama.sent < 64 * MAX_REPLY_BYTES  # what was on its way in buffers


def test_a_connection_is_closed_at_the_time_limit(ollama):
    ended = threading.Event()

    def chat(handler):
        try:
            trickles(handler)
        except OSError:
            ended.set()

    ollama.chat = chat
    with pytest.raises(LLMFailure, match="timeout"):
        OllamaLLM("tiny", ollama.host, timeout=LIMIT).generate("why?", SCHEMA)
    assert ended.wait(5)


def test_a_redirect_is_not_followed(ollama):
    def chat(handler):
        handler.send_response(307)
        handler.send_header("Location", f"{ollama.host}/api/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    ollama.chat = chat
    with pytest.raises(LLMFailure, match="redirects elsewhere"):
        OllamaLLM("tiny", ollama.host, retries=0).generate("why?", SCHEMA)
    assert len(ollama.questions) == 1


@pytest.mark.parametrize("think", [False, None, True, "low"])
def test_thinking_is_an_option(think, ollama):
    OllamaLLM("tiny", ollama.host, think=think).generate("why?", SCHEMA)
    assert ollama.questions[0].get("think") == think


def test_a_proxy_of_the_environment_does_not_catch_this_machine(ollama, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert OllamaLLM("tiny", ollama.host).generate("why?", SCHEMA).content == GOOD
    with pytest.raises(LLMFailure, match="ALL_PROXY is set"):
        OllamaLLM("tiny", "http://127.0.0.1:9", retries=0).generate("why?", SCHEMA)


def test_a_lone_surrogate_reaches_no_file(ollama, knowledge, recommendation, tmp_path):
    ollama.chat = says('{"reasons": ["s1\\ud800"], "tone": "plain"}')
    summary = ExplanationPipeline(knowledge, OllamaLLM("tiny", ollama.host)).run([recommendation], tmp_path / "o.jsonl")
    assert summary.sources == {"llm": 1}
    ollama.chat = says('{"reasons": ["s\\ud800"], "tone": "\\u001b[31m"}')
    summary = ExplanationPipeline(knowledge, OllamaLLM("tiny", ollama.host, seed=1)).run(
        [recommendation], tmp_path / "o.jsonl"
    )
    assert summary.causes == {"wrong schema": 1}
    assert "\x1b" not in (tmp_path / "o.jsonl").read_text(encoding="utf-8")
