"""Explanations over HTTP: facts at once, then a language model's verified sentences as server-sent events."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

import mmrec
from mmrec.data.datamodule import RecDataModule
from mmrec.explain.asker import Asker
from mmrec.explain.llm import FailureKind, LLMFailure, Reply
from mmrec.explain.statements import evidence_of
from mmrec.explain.writing.writer import Question
from mmrec.inference.serve.app import build_app
from mmrec.inference.serve.options import ServeOptions
from mmrec.inference.serve.streams import Full, LanguageModel
from tests.explain.cases import CASES
from tests.explain.conftest import Ollama, hangs, ollama, says
from tests.explain.test_pipeline import PLAN, Scripted
from tests.inference.bundles import write_bundle

__all__ = ["ollama"]
QUESTION = Question(CASES["films"].packet, evidence_of(CASES["films"].recommendation, CASES["films"].knowledge))
LOCAL = "http://127.0.0.1"


@pytest.fixture(scope="module")
def bundle(toy: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle("sasrec", toy, tmp_path_factory.mktemp("talking") / "bundle")


def llm(host: str, **options: Any) -> dict[str, Any]:
    arguments = {"model": "tiny", "host": host, "retries": 0, **options}
    return {"class_path": "mmrec.explain.llm.OllamaLLM", "init_args": arguments}


def question(client: httpx.Client) -> dict[str, Any]:
    ids = [one["item"] for one in client.get("/items", params={"limit": 5}).json()["items"]]
    return {"history": ids[:3], "item": ids[4], "stream": True}


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in found]


def ask(bundle: Path, **options: Any) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any], str]:
    """Return the events of a stream, the answer without one, and the measures."""
    with TestClient(build_app(ServeOptions(model=str(bundle), **options)), base_url=LOCAL) as client:
        body = question(client)
        answer = client.post("/explain", json=body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        plain = client.post("/explain", json=body | {"stream": False}).json()
        return read(answer.text), plain, client.get("/metrics").text


def test_the_answer_from_facts_comes_first_and_the_models_sentences_follow(bundle: Path, ollama: Ollama) -> None:
    found, plain, measures = ask(bundle, llm=llm(ollama.host))
    assert found[0] == ("facts", plain)
    assert [name for name, _ in found[1:-1]] == ["sentence"] * (len(found) - 2)
    assert len(found) > 2
    text = " ".join(data["text"] for name, data in found if name == "sentence")
    assert found[-1] == ("end", {"source": "llm", "text": text, "detail": None})
    known = {one["id"] for one in plain["statements"]}
    assert all(set(data["statements"]) <= known for name, data in found if name == "sentence")
    assert 'mmrec_streamed_explanations_total{source="llm"} 1.0' in measures


def test_no_unverified_word_is_sent(bundle: Path, ollama: Ollama) -> None:
    ollama.chat = says(json.dumps({"explanation": "It won a prize in 1999, which everybody knows."}))
    found, plain, _ = ask(bundle, llm=llm(ollama.host), writing="free")
    assert [name for name, _ in found] == ["facts", "end"]
    assert "1999" not in json.dumps(found)
    detail = "the language model gave no usable text (unverified): the sentences from facts stand"
    assert found[-1][1] == {"source": "facts", "text": plain["text"], "detail": detail}


@pytest.mark.parametrize("case", ["none", "down", "broken", "slow"])
def test_without_a_language_model_that_answers_the_facts_stand(bundle: Path, ollama: Ollama, case: str) -> None:
    ollama.chat = hangs if case == "slow" else says("", status=500)
    options = {"llm": None if case == "none" else llm("http://127.0.0.1:9" if case == "down" else ollama.host)}
    started = time.monotonic()
    found, plain, _ = ask(bundle, **options, llm_timeout=0.3 if case == "slow" else 20.0)
    words = {
        "none": "this server has no language model", "down": "the language model gave no usable text (no server)",
        "broken": "the language model gave no usable text (server error)",
        "slow": "the language model gave no usable text (timeout)",
    }[case]  # fmt: skip
    assert found == [
        ("facts", plain),
        ("end", {"source": "facts", "text": plain["text"], "detail": f"{words}: the sentences from facts stand"}),
    ]
    assert time.monotonic() - started < 10


def test_a_wrong_question_gets_a_status_and_the_token_is_asked_for(bundle: Path) -> None:
    with TestClient(build_app(ServeOptions(model=str(bundle), token="secret")), base_url=LOCAL) as client:
        assert client.post("/explain", json={"history": [], "item": "x", "stream": True}).status_code == 401
        client.headers["authorization"] = "Bearer secret"
        answer = client.post("/explain", json={"history": [], "item": "none", "stream": True})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
        assert client.post("/explain", json=question(client)).status_code == 200


def test_those_who_leave_cost_no_turn_and_too_many_are_refused() -> None:
    class Slow(Scripted):
        def generate(self, *_: object) -> Reply:
            self.prompts.append("")
            assert released.wait(10)
            return PLAN

    released, slow = threading.Event(), Slow()

    async def run() -> None:
        model = LanguageModel(Asker(slow, None), "grounded", seconds=10, most=3)
        first, second, third = (asyncio.ensure_future(model.write(QUESTION)) for _ in range(3))
        await asyncio.sleep(0.05)
        with pytest.raises(Full):
            await model.write(QUESTION)
        first.cancel()  # its question is asked already and keeps the turn
        second.cancel()
        await asyncio.sleep(0.05)
        assert not third.done()
        released.set()
        assert (await third).sentences
        assert len(slow.prompts) == 2

    asyncio.run(run())


def test_a_language_model_that_was_down_is_asked_again() -> None:
    class Down(Scripted):
        def digest(self) -> str:
            if down:
                raise LLMFailure(FailureKind.NO_SERVER, "no server")
            return "d0"

    down = [True]
    asker, once = Asker(Down(PLAN), None, again=0.0), Asker(Down(PLAN), None)
    for one in (asker, once):
        with pytest.raises(LLMFailure, match="no server"):
            one.ask("", {})
    down.clear()
    assert asker.ask("", {}) is PLAN
    with pytest.raises(LLMFailure, match="no server"):
        once.ask("", {})


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_process_that_ends_closes_open_streams_with_facts(bundle: Path, ollama: Ollama, workers: str) -> None:
    """A client that leaves early is noticed, and a stream that is open at SIGTERM ends in order."""
    ollama.chat = hangs
    command = "from mmrec.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", str(bundle), "--port", "0", "--llm", "mmrec.explain.llm.OllamaLLM",
         "--llm.model", "tiny", "--llm.host", ollama.host, "--workers", workers],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert address is not None
    with httpx.Client(base_url=address[0], timeout=60) as client:
        body = question(client)
        with client.stream("POST", "/explain", json=body) as early:
            next(early.iter_text())
        with client.stream("POST", "/explain", json=body) as answer:
            parts = answer.iter_text()
            text = next(parts)
            assert text.startswith("event: facts\n")
            process.send_signal(signal.SIGTERM)
            text += "".join(parts)
    assert read(text)[-1][1]["detail"] == "the server is ending: the sentences from facts stand"
    _, words = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "Traceback" not in words


def test_python_streams_the_same(bundle: Path) -> None:
    shop = mmrec.load(bundle)
    ids = shop.items["item"].to_list()
    found = list(shop.explain_stream(ids[:3], ids[9], Scripted(PLAN)))
    facts = [one.sentence for one in found if one.source == "facts"]
    assert tuple(facts) == (*shop.explain(ids[:3], ids[9]).sentences, None)
    assert [one.source for one in found if one.sentence][-1] == "llm"
    assert {one.source for one in shop.explain_stream(ids[:3], ids[9])} == {"facts"}
