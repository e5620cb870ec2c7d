import dataclasses
import time

import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.explain import Knowledge
from mmrec.explain.attribution import MOST, falls_of_row, histories_of_row
from mmrec.explain.request import Request, explain
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


def test_versions_of_a_history_keep_order_times_and_what_came_before(toy: RecDataModule) -> None:
    batch = toy.loader_of(None).batch(torch.arange(2))
    length = int(batch.lengths[1])
    shorter = histories_of_row(batch, 1, [list(range(length)), [0, *range(2, length)]])
    items = batch.items[1][:length].tolist()
    assert shorter.items.tolist() == [items, [items[0], *items[2:], 0]]
    assert shorter.clock.query_time[1][0] == batch.clock.item_time[1][2]
    assert shorter.clock.query_time[1][length - 2] == batch.clock.query_time[1][length - 1]
    before = batch.earlier[batch.earlier_offsets[1] : batch.earlier_offsets[2]].tolist()
    assert shorter.earlier.tolist() == before * 2


def test_falls_are_those_of_the_newest_items(toy: RecDataModule) -> None:
    model = build("itemknn", toy).eval()
    batch = toy.loader_of(None).batch(torch.arange(3))
    falls = falls_of_row(model, batch, 2)
    length = int(batch.lengths[2])
    assert falls.shape == (min(length, MOST), toy.n_items)
    single = dataclasses.replace(batch, items=batch.items[:, :1])
    assert falls_of_row(model, single, 2).tolist() == [[0.0]]
