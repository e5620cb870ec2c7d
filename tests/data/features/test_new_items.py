"""New items get the vectors that they would have in the catalogue, and move no others."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder, JoinedEncoder, WithAttributesEncoder
from mmrec.data.features.extract import extract_features
from mmrec.data.features.new_items import COLUMNS, NewItem, describe_items, encode_items
from mmrec.data.features.store import Features
from mmrec.data.features.transforms import FeatureTransforms, fit_transforms
from mmrec.errors import UserError
from mmrec.nn.item_features import ItemFeatures


def model_rows(data: RecDataModule) -> ItemFeatures:
    model = ItemFeatures(data.n_items, text_dim=data.text_dim, image_dim=data.image_dim, text=True, image=True)
    model.attach(data.features)
    return model


@pytest.mark.parametrize("whiten", [None, 12])
@pytest.mark.parametrize("attributes", [False, True])
def test_known_item_encoded_anew_has_its_row(
    toy: RecDataModule, whiten: int | None, attributes: bool, tmp_path: Path
) -> None:
    encoder = WithAttributesEncoder(HandcraftedEncoder()) if attributes else HandcraftedEncoder()
    data = RecDataModule(toy.source, prepare=toy.options, encoder=encoder, root=str(toy.root), whiten=whiten)
    fit_transforms(data.features).save(tmp_path / "transforms.npz")
    model, chosen = model_rows(data), torch.tensor([7, 30, 31, 200, 288])
    known = data.catalog.item_table[chosen.tolist()].select(COLUMNS)
    encoded = encode_items(known, encoder, FeatureTransforms.load(tmp_path / "transforms.npz"))
    for modality in ("text", "image"):
        assert encoded.present[modality].tolist() == model.present(modality)[chosen].tolist()
        vectors = getattr(data.features, modality)[chosen.numpy()]
        np.testing.assert_array_equal(encoded.vectors[modality], vectors)
    assert encoded.present["text"].any()
    assert encoded.present["image"].any()


def test_item_described_in_python_equals_the_item_in_a_table(toy: RecDataModule, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    encoder, transforms = HandcraftedEncoder(), fit_transforms(toy.features)
    items = [
        NewItem("a", "a red coat", tmp_path / "red.png", "Coat", {"colour": "red"}),
        NewItem("b", text="a coat"),
        NewItem("c", image=str(tmp_path / "missing.png")),
        NewItem("d"),
    ]
    table = describe_items(items)
    assert table["attributes"].to_list() == ['{"colour": "red"}', None, None, None]
    encoded = encode_items(table, encoder, transforms)
    assert encoded.present["text"].tolist() == [True, True, False, False]
    assert encoded.present["image"].tolist() == [True, False, False, False]
    assert [fault.kind for fault in encoded.rejected] == ["unreadable image"]
    assert not encoded.vectors["text"][2:].any()
    assert encoded.vectors["text"][:2].any(axis=1).all()


def test_catalogue_of_many_parts_keeps_the_order_of_its_items(toy: RecDataModule) -> None:
    table = toy.catalog.item_table[1:].select(COLUMNS)
    encoded = encode_items(table.reverse(), HandcraftedEncoder(), fit_transforms(toy.features))
    np.testing.assert_array_equal(encoded.vectors["image"][::-1], toy.features.image[1:])


def test_other_encoders_and_incomplete_tables_are_refused(toy: RecDataModule, tmp_path: Path) -> None:
    transforms, table = fit_transforms(toy.features), describe_items([NewItem("a", "coat")])
    with pytest.raises(UserError, match=r"must be encoded by handcrafted .* not by handcrafted\+handcrafted"):
        encode_items(table, JoinedEncoder(HandcraftedEncoder(), HandcraftedEncoder()), transforms)
    with pytest.raises(UserError, match="text vectors of width 32, but those of the catalogue have 256"):
        encode_items(table, HandcraftedEncoder(32), transforms)
    with pytest.raises(UserError, match="no column text"):
        encode_items(table.drop("text"), HandcraftedEncoder(), transforms)


def test_modality_that_the_catalogue_lacks_is_left_out(tmp_path: Path) -> None:
    table = pl.DataFrame({"item": [0, 1, 2], "raw_id": ["", "a", "b"], "text": [None, "red coat", "blue hat"]})
    nothing = {name: pl.lit(None, pl.String) for name in ("title", "image", "attributes")}
    table.with_columns(**nothing).write_parquet(tmp_path / "items.parquet")
    features = Features(extract_features(tmp_path, HandcraftedEncoder()))
    encoded = encode_items(describe_items([NewItem("c", "green")]), HandcraftedEncoder(), fit_transforms(features))
    assert list(encoded.vectors) == ["text"]
