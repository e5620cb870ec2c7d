"""Held-out interactions must not reach training; `ModelContract` tests the same of every model."""

import dataclasses

import pytest
import torch

from mmrec.batch import Clock, TrainsOn
from mmrec.data.datamodule import RecDataModule
from mmrec.testing.model_contract import with_other_held_out_items


@pytest.mark.parametrize("trains_on", ["windows", "pairs"])
def test_training_batches_hold_only_training_interactions(trains_on: TrainsOn, toy: RecDataModule) -> None:
    planted = RecDataModule(toy.source, prepare=toy.options, encoder=toy.encoder, root=str(toy.root), max_length=8)
    planted.__dict__["catalog"] = with_other_held_out_items(toy.catalog)
    same = RecDataModule(toy.source, prepare=toy.options, encoder=toy.encoder, root=str(toy.root), max_length=8)
    assert not torch.equal(planted.catalog.timestamp, same.catalog.timestamp)
    for a, b in zip(planted.train_loader(trains_on), same.train_loader(trains_on), strict=True):
        for field in dataclasses.fields(a):
            one, other = getattr(a, field.name), getattr(b, field.name)
            parts = zip(one, other, strict=True) if isinstance(one, Clock) else [(one, other)]
            assert all(torch.equal(torch.as_tensor(x), torch.as_tensor(y)) for x, y in parts), field.name
