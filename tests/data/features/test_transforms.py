"""Fitted transforms: what a model reads, saved without pickle, and applied to vectors that were not fitted on."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.features.transforms import FeatureTransforms, fit_transforms, load_whitenings
from mmrec.errors import UserError
from mmrec.nn.item_features import ItemFeatures


@pytest.fixture(scope="module")
def whitened(toy: RecDataModule) -> RecDataModule:
    return RecDataModule(toy.source, prepare=toy.options, encoder=HandcraftedEncoder(), root=str(toy.root), whiten=12)


def test_rows_equal_those_of_a_model(toy: RecDataModule, whitened: RecDataModule) -> None:
    for data in (toy, whitened):
        model = ItemFeatures(data.n_items, text_dim=data.text_dim, image_dim=data.image_dim, text=True, image=True)
        model.attach(data.features)
        transforms = fit_transforms(data.features)
        for modality in ("text", "image"):
            present = getattr(data.features, f"{modality}_present")
            stored = torch.tensor(getattr(data.features, modality)[present])
            rows = transforms.modalities[modality].centring.apply(stored)
            assert torch.equal(rows, model.rows(modality)[torch.tensor(present)])


def test_saved_transforms_give_the_same_rows(whitened: RecDataModule, tmp_path: Path) -> None:
    fitted = fit_transforms(whitened.features)
    fitted.save(tmp_path / "run" / "transforms.npz")
    loaded = FeatureTransforms.load(tmp_path / "run" / "transforms.npz")
    assert (loaded.encoder, loaded.revision) == ("handcrafted", HandcraftedEncoder().revision())
    raw = np.random.default_rng(0).random((3, 256))
    rows = fitted.modalities["text"].apply(raw)
    assert rows.shape == (3, 12)
    assert torch.equal(loaded.modalities["text"].apply(raw), rows)
    assert loaded.modalities["image"].width == 248


def test_whitened_folder_keeps_its_transform(toy: RecDataModule, whitened: RecDataModule) -> None:
    whitening = load_whitenings(whitened.features.folder / "whitening.npz")["image"]
    np.testing.assert_array_equal(
        whitening.apply_half(toy.features.image[toy.features.image_present]),
        whitened.features.image[whitened.features.image_present],
    )


def test_items_that_are_not_fitted_on_move_no_others(toy: RecDataModule) -> None:
    some = np.arange(toy.n_items) % 2 == 0
    centring = fit_transforms(toy.features, some).modalities["text"].centring
    fitted_on = torch.tensor(toy.features.text[some & toy.features.text_present]).float()
    assert torch.equal(centring.mean, fitted_on.mean(dim=0))
    vector = torch.ones(1, toy.text_dim)
    assert torch.equal(centring.apply(vector), F.normalize(vector - centring.mean, dim=1))


@pytest.mark.parametrize("content", [b"", b"PK", None])
def test_damaged_transforms_are_refused(toy: RecDataModule, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "transforms.npz"
    fit_transforms(toy.features).save(file)
    if content is None:
        with file.open("wb") as stream:
            np.savez(stream, encoder=np.array("x"))
    else:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"transforms\.npz: .*run again") as caught:
        FeatureTransforms.load(file)
    assert os.linesep not in str(caught.value)
