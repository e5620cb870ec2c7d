"""Fitted transforms: what a model reads, saved without pickle, and applied to vectors that were not fitted on."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.features.transforms import (
    Centring,
    FeatureTransforms,
    Transform,
    fit_transforms,
    fit_whitening,
    load_whitenings,
)
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
    stored, again = (transforms.modalities["text"].stored(raw) for transforms in (fitted, loaded))
    assert stored.shape == (3, 12)
    np.testing.assert_array_equal(again, stored)
    assert torch.equal(loaded.modalities["text"].centring.mean, fitted.modalities["text"].centring.mean)
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


def test_rows_are_those_of_the_transforms_that_a_run_has_kept(toy: RecDataModule, whitened: RecDataModule) -> None:
    """The same numbers on the same catalogue, and no other centre or whitening on one that has changed."""
    kept = fit_transforms(whitened.features)
    data = RecDataModule(toy.source, prepare=toy.options, encoder=HandcraftedEncoder(), root=str(toy.root), whiten=12)
    data.keep_transforms(kept)
    assert data.features.folder == whitened.features.folder
    np.testing.assert_array_equal(data.features.text, whitened.features.text)
    model = ItemFeatures(data.n_items, text_dim=12, image_dim=12, text=True, image=True)
    model.attach(whitened.features)
    expected = model.rows("text")
    model.attach(data.features)
    assert torch.equal(model.rows("text"), expected)

    some = np.arange(toy.n_items) % 2 == 0
    other = fit_whitening(toy.features.text, np.flatnonzero(some & toy.features.text_present), 12)
    centring = Centring(torch.full((12,), 0.5))
    data.keep_transforms(replace(kept, modalities={**kept.modalities, "text": Transform(centring, other)}))
    model.attach(data.features)
    present = toy.features.text_present
    vectors = torch.from_numpy(other.apply_half(toy.features.text[present]))
    assert torch.equal(model.rows("text")[torch.tensor(present)], centring.apply(vectors))


def test_features_of_another_encoder_or_width_are_refused(toy: RecDataModule) -> None:
    kept = fit_transforms(toy.features)
    data = RecDataModule(toy.source, prepare=toy.options, encoder=HandcraftedEncoder(), root=str(toy.root))
    data.keep_transforms(replace(kept, encoder="open_clip"))
    with pytest.raises(UserError, match="trained on features of open_clip, but the data has those of handcrafted"):
        _ = data.features
    narrow = {**kept.modalities, "text": Transform(Centring(torch.zeros(9)))}
    data.keep_transforms(replace(kept, modalities=narrow))
    with pytest.raises(UserError, match="trained on text features of width 9, the data has 256"):
        _ = data.features


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
