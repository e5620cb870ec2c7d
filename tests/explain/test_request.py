import dataclasses
import time

import pytest
import torch

from mmrec.batch import PAD
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.explain import Kind, Knowledge, evidence_of
from mmrec.explain.attribution import MOST, falls_of_row, histories_of_row
from mmrec.explain.request import Request, explain, recommendation_of_request
from mmrec.explain.writing.grammar import write
from mmrec.explain.writing.plan import Plan
from tests.contracts.conftest import build

LIMIT = 0.02


@pytest.fixture(scope="module")
def shop(toy: RecDataModule) -> Knowledge:
    return Knowledge.load(toy.catalog.folder)


def history_of(toy: RecDataModule, user: int) -> list[int]:
    return toy.catalog.items[toy.catalog.offsets[user] : toy.catalog.offsets[user + 1]].tolist()


@pytest.mark.parametrize("name", ["mm_racl_kal", "sasrec", "lightgcn", "popularity"])
def test_any_model_explains_an_item_for_a_history(name: str, toy: RecDataModule, shop: Knowledge) -> None:
    model = build(name, toy).eval()
    history = history_of(toy, 3)
    item = next(i for i in range(1, toy.n_items) if i not in history)
    made = explain(model, shop, Request(history, item))
    assert made.text == " ".join(sentence.text for sentence in made.sentences)
    known = {statement.id for statement in made.statements}
    assert all(set(sentence.statements) <= known for sentence in made.sentences)
    assert explain(model, shop, Request([], item)).text
    with pytest.raises(UserError, match="another dataset"):
        explain(model, shop, Request(history, 10**6))


def test_an_explanation_takes_at_most_20_milliseconds(toy: RecDataModule, shop: Knowledge) -> None:
    model = build("mm_racl_kal", toy).eval()
    model.begin_evaluation()
    history = history_of(toy, 3)
    items = [i for i in range(1, 60) if i not in history]
    explain(model, shop, Request(history, items[0]))  # what is computed once for a catalogue
    seconds = []
    for item in items:
        start = time.thread_time()  # other work on the machine does not count
        explain(model, shop, Request(history, item))
        seconds.append(time.thread_time() - start)
    model.end_evaluation()
    assert sorted(seconds)[len(seconds) // 2] < LIMIT


def test_versions_of_a_history_lack_all_copies_of_an_item_and_keep_order_and_times(toy: RecDataModule) -> None:
    batch = toy.loader_of(None).batch(torch.arange(2))
    length = int(batch.lengths[1])
    items = batch.items[1][:length].tolist()
    gone = items[1]
    earlier, offsets = torch.tensor([5, gone + 1, gone, gone + 2]), torch.tensor([0, 1, 4])
    batch = dataclasses.replace(batch, earlier=earlier, earlier_offsets=offsets)
    shorter = histories_of_row(batch, 1, [PAD, gone])
    assert shorter.items.tolist() == [items, [items[0], *items[2:], PAD]]
    assert shorter.clock.query_time[1][0] == batch.clock.item_time[1][2]
    assert shorter.clock.query_time[1][length - 2] == batch.clock.query_time[1][length - 1]
    assert shorter.earlier.tolist() == [gone + 1, gone, gone + 2, gone + 1, gone + 2]
    assert shorter.earlier_offsets.tolist() == [0, 3, 5]


def test_copies_of_an_item_have_one_fall(toy: RecDataModule) -> None:
    batch = Request([1, 2, 1, 3], 9).batch()
    falls = falls_of_row(build("sasrec", toy).eval(), batch, 0)
    torch.testing.assert_close(falls[0], falls[2])
    assert not torch.equal(falls[0], falls[1])


def test_a_model_that_does_not_read_the_history_claims_nothing_about_it(toy: RecDataModule, shop: Knowledge) -> None:
    texts = {}
    for name in ("popularity", "sasrec"):
        model = build(name, toy).eval()
        made = [evidence_of(recommendation_of_request(model, Request([1, 2, 3], item)), shop) for item in range(4, 9)]
        whole = [Plan((next(s.id for s in one.statements if s.kind is Kind.HISTORY),)) for one in made]
        texts[name] = " ".join(s.text for one, plan in zip(made, whole, strict=True) for s in write(plan, one))
    assert "your history as a whole" not in texts["popularity"]
    assert "your history as a whole" in texts["sasrec"]


def test_falls_are_those_of_the_newest_items(toy: RecDataModule) -> None:
    model = build("itemknn", toy).eval()
    batch = toy.loader_of(None).batch(torch.arange(3))
    falls = falls_of_row(model, batch, 2)
    length = int(batch.lengths[2])
    assert falls.shape == (min(length, MOST), toy.n_items)
    single = dataclasses.replace(batch, items=batch.items[:, :1])
    assert falls_of_row(model, single, 2).tolist() == [[0.0]]
