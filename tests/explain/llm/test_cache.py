import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from mmrec.explain.llm import CachedLLM, LLMFailure, OllamaLLM
from tests.explain.conftest import GOOD, SCHEMA, says


def test_cache_answers_without_the_server_and_heals(ollama, tmp_path):
    first = CachedLLM(OllamaLLM("tiny", ollama.host), tmp_path)
    assert not first.generate("why?", SCHEMA).cached
    assert first.generate("why?", SCHEMA).cached
    assert not CachedLLM(OllamaLLM("tiny", ollama.host, seed=1), tmp_path).generate("why?", SCHEMA).cached
    assert not first.generate("why?", {**SCHEMA, "title": "another"}).cached
    for file in tmp_path.iterdir():
        file.write_text("{damaged")
    assert not first.generate("why?", SCHEMA).cached
    assert first.generate("why?", SCHEMA).cached
    assert len(ollama.questions) == 4


@pytest.mark.parametrize(
    ("chat", "message", "asked"),
    [(says("no JSON"), "invalid JSON", 1), (says(json.dumps(GOOD), cut=9), "connection lost", 2)],
)
def test_bad_answers_are_kept_and_lost_ones_asked_for_again(chat, message, asked, ollama, tmp_path):
    ollama.chat = chat
    llm = CachedLLM(OllamaLLM("tiny", ollama.host, retries=0), tmp_path / "cache")
    taken = []
    for _ in range(2):
        with pytest.raises(LLMFailure, match=message) as failure:
            llm.generate("why?", SCHEMA)
        taken.append(failure.value.seconds)
    assert len(ollama.questions) == asked
    assert (taken[0] == taken[1] > 0) == (asked == 1)  # the seconds of the first time


def test_another_image_is_another_question(ollama, tmp_path):
    image = tmp_path / "poster.jpg"
    llm = CachedLLM(OllamaLLM("tiny", ollama.host), tmp_path / "cache")
    for content in (b"one", b"two"):
        image.write_bytes(content)
        assert not llm.generate("why?", SCHEMA, [image]).cached
        assert llm.generate("why?", SCHEMA, [image]).cached
    image.unlink()
    assert not llm.generate("why?", SCHEMA, [image]).cached


def test_threads_share_a_folder(ollama, tmp_path):
    llm = CachedLLM(OllamaLLM("tiny", ollama.host, concurrency=3), tmp_path / "cache")
    assert llm.concurrency == 3
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda prompt: llm.generate(prompt, SCHEMA), ["one", "two"] * 12))
    (one, two) = sorted((tmp_path / "cache").iterdir())
    assert json.loads(one.read_text())["content"] == json.loads(two.read_text())["content"] == GOOD


def test_folder_that_cannot_be_written_costs_the_cache_only(ollama, tmp_path):
    (tmp_path / "file").touch()
    llm = CachedLLM(OllamaLLM("tiny", ollama.host), tmp_path / "file" / "cache")
    assert not llm.generate("why?", SCHEMA).cached
    assert not llm.generate("why?", SCHEMA).cached
