"""The canary: what is held out must not reach anything that is learned from."""

import dataclasses

import pytest
import torch

from mmrec.batch import Clock, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from tests.contracts.conftest import MODELS, build


def with_other_held_out_items(data: RecDataModule, catalog: Catalog) -> Catalog:
    """Return the same dataset in which every held-out interaction is with another item, at another time."""
    planted = Catalog(catalog.folder)
    held_out = planted.split != int(Split.TRAIN)
    planted.timestamp[held_out] += 1_000_003
    planted.items[held_out] = 1 + planted.items[held_out] % (planted.n_items - 1)
    return planted


def test_no_model_can_see_a_held_out_edge(toy: RecDataModule) -> None:
    """Every buffer and every training loss is the same whatever was held out."""
    planted = with_other_held_out_items(toy, toy.catalog)
    assert not torch.equal(planted.items, toy.catalog.items)
    for name in MODELS:
        model, other = build(name, toy), build(name, toy)
        other.attach(planted, toy.features)
        for (key, a), (_, b) in zip(model.named_buffers(), other.named_buffers(), strict=True):
            assert torch.equal(_dense(a), _dense(b)), f"{name}: {key}"
        if model.trains_on != "nothing":
            batch = next(iter(toy.train_loader(model.trains_on)))
            torch.manual_seed(0)
            loss = model.losses(batch)["loss"]
            torch.manual_seed(0)
            assert torch.equal(other.losses(batch)["loss"], loss), name


@pytest.mark.parametrize("trains_on", ["windows", "pairs"])
def test_training_batches_hold_training_events_alone(trains_on: TrainsOn, toy: RecDataModule) -> None:
    planted = RecDataModule(
        toy.source, prepare=toy.options, encoder=toy.encoder, root=str(toy.root), max_length=8, windows="all"
    )
    planted.__dict__["catalog"] = with_other_held_out_items(toy, toy.catalog)
    same = RecDataModule(
        toy.source, prepare=toy.options, encoder=toy.encoder, root=str(toy.root), max_length=8, windows="all"
    )
    assert not torch.equal(planted.catalog.timestamp, same.catalog.timestamp)
    for a, b in zip(planted.train_loader(trains_on), same.train_loader(trains_on), strict=True):
        for field in dataclasses.fields(a):
            one, other = getattr(a, field.name), getattr(b, field.name)
            parts = zip(one, other, strict=True) if isinstance(one, Clock) else [(one, other)]
            assert all(torch.equal(torch.as_tensor(x), torch.as_tensor(y)) for x, y in parts), field.name


def _dense(x: torch.Tensor) -> torch.Tensor:
    return x.to_dense() if x.layout == torch.sparse_csr else x
