import dataclasses

import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from tests.contracts.conftest import build


@torch.no_grad()
@pytest.mark.parametrize("name", ["lightgcn", "vbpr", "mmgcn"])
def test_a_user_without_training_interactions_gets_the_mean_of_the_others(name: str, toy: RecDataModule) -> None:
    view = toy.catalog.train
    kept = view.offsets.diff()
    kept[:3] = 0  # the first three users have no training interactions
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), kept.cumsum(0)])
    less = dataclasses.replace(view, offsets=offsets, items=view.items[int(view.offsets[3]) :])
    model = build(name, toy).eval()
    model.attach(type("Without", (), {"train": less}), toy.features)
    vectors = model.user_vectors()
    torch.testing.assert_close(vectors[:3], vectors[3:].mean(0).expand(3, -1))
    batch = next(iter(toy.eval_dataloader(Split.TEST)))
    assert torch.equal(model.encode_users(batch), vectors[batch.user])
    assert len(vectors[3:].unique(dim=0)) > 100
