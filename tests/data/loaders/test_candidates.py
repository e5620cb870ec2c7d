import pytest
import torch

from mmrec.batch import PAD
from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.evaluation import uniform_candidates
from mmrec.data.schema import Split
from mmrec.errors import UserError


def test_candidates_are_distinct_and_not_in_the_users_history(toy: RecDataModule) -> None:
    rows = toy.catalog.instances(Split.TEST)
    drawn = uniform_candidates(toy.catalog, rows)
    assert drawn.shape == (800, 100)
    assert torch.equal(drawn, uniform_candidates(toy.catalog, rows))
    for row, items in zip(rows.tolist(), drawn.tolist(), strict=True):
        user = toy.catalog.user_of(row)
        known = toy.catalog.items[toy.catalog.offsets[user] : toy.catalog.offsets[user + 1]].tolist()
        assert len(set(items)) == 100
        assert PAD not in items
        assert not set(items) & set(known)


def test_too_small_catalogue_is_refused(toy: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrec.data.loaders.evaluation.COUNT", 280)
    with pytest.raises(UserError, match="uniform100 needs 280"):
        uniform_candidates(toy.catalog, toy.catalog.instances(Split.TEST))
