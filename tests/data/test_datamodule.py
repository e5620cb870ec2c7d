"""The datamodule: sizes that make sense, and the same batches for every epoch that overfits."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from mmrec.batch import TrainsOn
from mmrec.data.datamodule import LARGEST, RecDataModule
from mmrec.data.prepare.options import PrepareOptions
from mmrec.errors import InvalidArgument, UserError
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.models.mmgcn import MMGCN
from tests.data.rows import LOOSE, Rows


@pytest.mark.parametrize("name", list(LARGEST))
@pytest.mark.parametrize("value", [0, -1, 10**12, 2.5, True, "many", None])
def test_sizes_out_of_range_are_refused(toy: RecDataModule, name: str, value: Any) -> None:
    if (name, value) == ("whiten", None):  # off
        return
    with pytest.raises(InvalidArgument, match=rf"^{name} must be a whole number from 1 to [\d,]+, but is") as caught:
        RecDataModule(toy.source, **{name: value})
    assert caught.value.argument == name


@pytest.mark.parametrize(
    ("make", "option", "choices"),
    [
        (PrepareOptions, "repeats", "first, all"),
        (PrepareOptions, "split", "ratio, leave_one_out, global_time"),
        (RecDataModule, "windows", "last, all"),
        (RecDataModule, "candidates", "all, uniform100, seen, unseen"),
        (RecDataModule, "input_ablation", "features_shuffled, features_noise, order_shuffled"),
        (MMRaclKal, "static_user", "prefix, node, none"),
        (MMRaclKal, "pooling", "mean, sum"),
        (MMGCN, "combination", "concatenation, sum"),
    ],
)
def test_misspelt_choices_are_refused(make: Any, option: str, choices: str, toy: RecDataModule) -> None:
    needed: dict[Any, dict[str, Any]] = {PrepareOptions: {}, RecDataModule: {"source": toy.source}}
    sizes = {"n_users": 5, "n_items": 20, "text_dim": 4, "image_dim": 4}
    with pytest.raises(InvalidArgument, match=f"^{option} must be one of {choices}, but is misspelt$") as caught:
        make(**needed.get(make, sizes), **{option: "misspelt"})
    assert caught.value.argument == option


def test_histories_of_one_training_interaction_need_another_split_or_other_data(tmp_path: Path) -> None:
    events = [(f"u{user}", f"i{item}", item) for user in range(4) for item in range(3)]
    options = PrepareOptions(**{**LOOSE, "split": "leave_one_out"})
    data = RecDataModule(Rows(tmp_path / "raw", events), prepare=options, root=str(tmp_path / "data"))
    with pytest.raises(UserError, match=r"choose another split, or data with longer histories$"):
        data.train_loader("windows")


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
