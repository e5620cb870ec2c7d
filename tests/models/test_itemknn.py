import math

import pytest
import torch

from mmrec.data import co_occurrence
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from tests.contracts.conftest import build


def naive_similarity(data: RecDataModule, shrinkage: float) -> list[list[float]]:
    view, users_of = data.catalog.train, [set() for _ in range(data.n_items)]
    for user, item in zip(view.users.tolist(), view.items.tolist(), strict=True):
        users_of[item].add(user)
    return [
        [
            len(a & b) / (math.sqrt(len(a)) * math.sqrt(len(b)) + shrinkage) if a and b and i != j else 0.0
            for j, b in enumerate(users_of)
        ]
        for i, a in enumerate(users_of)
    ]


@pytest.mark.parametrize("elements", [2**24, 500])  # one block, and blocks of a few rows
def test_scores_are_sums_over_the_whole_history(
    elements: int, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(co_occurrence, "BLOCK_ELEMENTS", elements)
    model, similarity = build("itemknn", toy, neighbours=10_000, shrinkage=3.0), naive_similarity(toy, 3.0)
    batch = next(iter(toy.eval_dataloader(Split.TEST)))
    assert len(batch.earlier)  # histories are longer than the windows
    scores = model.score(batch)
    for row in range(0, len(batch.user), 17):
        start, end = toy.catalog.offsets[batch.user[row]], batch.instance[row]
        history = set(toy.catalog.items[start:end].tolist())
        expected = [sum(similarity[item][other] for other in history) for item in range(toy.n_items)]
        torch.testing.assert_close(scores[row], torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_the_neighbours_are_those_of_the_scored_item(toy: RecDataModule) -> None:
    model, similarity = build("itemknn", toy, neighbours=7, shrinkage=3.0), naive_similarity(toy, 3.0)
    kept = model.similarity
    dense = kept.to_dense()
    batch = next(iter(toy.eval_dataloader(Split.TEST)))
    torch.testing.assert_close(model.score(batch), batch.multi_hot(toy.n_items) @ dense.T)
    assert not torch.equal(dense, dense.T)
    for item in range(1, toy.n_items):
        best = sorted(similarity[item], reverse=True)[:7]
        values, others = dense[item].sort(descending=True)
        torch.testing.assert_close(values[:7], torch.tensor(best))
        assert not values[7:].any()
        assert values[0] == pytest.approx(similarity[item][int(others[0])])


def test_options_out_of_range_are_refused(toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match="neighbours must be at least 1"):
        build("itemknn", toy, neighbours=0)
    with pytest.raises(InvalidArgument, match="shrinkage must be at least 0"):
        build("itemknn", toy, shrinkage=-1.0)
