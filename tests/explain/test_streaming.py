import time

import pytest

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.explain import Knowledge
from mmrec.explain.asker import Asker
from mmrec.explain.llm import FailureKind, LLMFailure, Reply
from mmrec.explain.request import Request, explain
from mmrec.explain.streaming import Event, explain_stream
from tests.contracts.conftest import build
from tests.explain.test_pipeline import PLAN, Scripted


def events(toy: RecDataModule, asker: Asker | None, **options: object) -> tuple[list[Event], str]:
    model, shop, request = build("sasrec", toy).eval(), Knowledge.load(toy.catalog.folder), Request([1, 2, 3], 9)
    return list(explain_stream(model, shop, request, asker, **options)), explain(model, shop, request).text


def text_of(found: list[Event], source: str) -> str:
    return " ".join(e.sentence.text for e in found if e.source == source and e.sentence)


def test_the_grammars_answer_comes_first_and_the_models_text_follows(toy: RecDataModule) -> None:
    found, facts = events(toy, Asker(Scripted(PLAN), None))
    assert [e.source for e in found] == sorted((e.source for e in found), key=["facts", "llm"].index)
    assert text_of(found, "facts") == facts
    assert text_of(found, "llm")
    assert [(e.source, e.cause) for e in found if e.sentence is None] == [("facts", None), ("llm", None)]
    alone, _ = events(toy, None)
    assert {e.source for e in alone} == {"facts"}


def test_a_model_that_fails_or_is_slow_costs_its_own_text_alone(toy: RecDataModule) -> None:
    class Slow(Scripted):
        def generate(self, prompt: str, schema: object, images: object = ()) -> Reply:
            time.sleep(3)
            return PLAN

    failing = Asker(Scripted(LLMFailure(FailureKind.SERVER, "it broke")), None)
    for asker, cause in ((failing, "server error"), (Asker(Slow(), None), "timeout")):
        found, facts = events(toy, asker, seconds=0.5)
        assert (text_of(found, "facts"), text_of(found, "llm")) == (facts, "")
        assert found[-1].cause == cause
        assert found[-1].seconds < 2.5
    with pytest.raises(InvalidArgument, match="seconds must be above 0"):
        events(toy, None, seconds=0)


def test_of_free_text_only_verified_sentences_are_passed_on(toy: RecDataModule) -> None:
    false = Reply({"explanation": "It won a prize in 1999, which everybody knows."})
    found, _ = events(toy, Asker(Scripted(false), None), writing="free")
    assert text_of(found, "llm") == ""
    assert found[-1].cause == "unverified"
