"""The datamodule: sizes that make sense, and the same batches for every epoch that overfits."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from mmrec.batch import TrainsOn
from mmrec.data.datamodule import LARGEST, RecDataModule
from mmrec.errors import InvalidArgument


@pytest.mark.parametrize("name", list(LARGEST))
@pytest.mark.parametrize("value", [0, -1, 10**12, 2.5, True, "many", None])
def test_sizes_out_of_range_are_refused(toy: RecDataModule, name: str, value: Any) -> None:
    if (name, value) == ("whiten", None):  # off
        return
    with pytest.raises(InvalidArgument, match=rf"^{name} must be a whole number from 1 to [\d,]+, but is") as caught:
        RecDataModule(toy.source, **{name: value})
    assert caught.value.argument == name


def test_options_are_given_by_keyword(toy: RecDataModule) -> None:
    with pytest.raises(TypeError, match="positional"):
        RecDataModule(toy.source, toy.options)  # type: ignore[misc]


@pytest.mark.parametrize("trains_on", ["windows", "pairs"])
@pytest.mark.parametrize("overfit", [0, 1])
def test_overfitting_repeats_the_batches_of_the_first_epoch(
    toy: RecDataModule, trains_on: TrainsOn, overfit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = RecDataModule(toy.source, prepare=toy.options, root=str(toy.root), max_length=5)
    data.trainer = pl.Trainer(accelerator="cpu", overfit_batches=overfit, logger=False, enable_checkpointing=False)
    loader = data.train_loader(trains_on)
    epochs = []
    for epoch in range(2):
        monkeypatch.setattr(pl.Trainer, "current_epoch", epoch)
        batch = next(iter(loader))
        epochs.append((batch.user, batch.items if trains_on == "windows" else batch.negative))
    same = all(torch.equal(one, other) for one, other in zip(*epochs, strict=True))
    assert same == bool(overfit)
