"""Whitening: its result, the items that it is fitted on, and that it is made once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder, PrecomputedEncoder
from mmrec.data.features.extract import extract_features
from mmrec.data.features.store import Features
from mmrec.data.features.transforms import fit_whitening
from mmrec.data.features.whitened import whiten_features
from mmrec.errors import InvalidArgument, UserError
from tests.data.features.test_extract import contents, write_items

ITEMS = 60
FITTING = np.arange(ITEMS + 1) % 3 != 0  # two thirds of the items, and not the padding


def cone(seed=0, width=8):
    """Return vectors with a large common part and unequal spreads along skew axes, as encoders make them."""
    rng = np.random.default_rng(seed)
    return 2 + rng.normal(size=(ITEMS, width)) * 0.5 ** np.arange(width) @ rng.normal(size=(width, width))


def extracted(folder, text, image=None):
    """Return the feature folder of arrays whose row j is item j + 1."""
    folder.mkdir()
    paths = {}
    for name, array in (("text", text), ("image", image)):
        if array is not None:
            paths[name] = str(folder / f"{name}.npy")
            np.save(paths[name], array.astype(np.float32))
    ids = [f"i{k}" for k in range(ITEMS)]
    (folder / "ids.csv").write_text("\n".join(ids) + "\n")
    return extract_features(write_items(folder, ids), PrecomputedEncoder(items=str(folder / "ids.csv"), **paths))


@given(seed=st.integers(0, 2**31), components=st.integers(1, 5))
def test_fitting_items_are_white_and_the_axes_are_the_leading_ones(seed, components):
    vectors, rows = cone(seed), np.arange(0, ITEMS, 2)
    whitening = fit_whitening(vectors, rows, components)
    white = whitening.apply(vectors)[rows]
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(white.T @ white / len(rows), np.eye(components), atol=1e-5)
    spreads = np.linalg.svd(vectors[rows] - vectors[rows].mean(axis=0), compute_uv=False) ** 2
    assert whitening.explained == pytest.approx(spreads[:components].sum() / spreads.sum())


def test_signs_do_not_depend_on_the_order_of_the_rows():
    vectors, rows = cone(), np.arange(ITEMS)
    straight, reverse = fit_whitening(vectors, rows, 5), fit_whitening(vectors, rows[::-1].copy(), 5)
    np.testing.assert_allclose(straight.matrix, reverse.matrix, rtol=1e-6)
    assert (straight.matrix[np.abs(straight.matrix).argmax(axis=0), range(5)] > 0).all()


def test_items_without_training_interactions_change_nothing_for_the_others(tmp_path):
    text, changed = cone(), cone()
    held_out = ~FITTING[1:]
    changed[held_out] = 50 * np.random.default_rng(1).normal(size=(held_out.sum(), 8))
    one, other = (
        Features(whiten_features(extracted(tmp_path / name, array), FITTING, 4))
        for name, array in (("one", text), ("other", changed))
    )
    np.testing.assert_array_equal(one.text[FITTING], other.text[FITTING])
    assert np.abs(one.text[1:][held_out] - other.text[1:][held_out]).max() > 1
    assert one.manifest["whitening"] == other.manifest["whitening"]
    assert one.manifest["whitening"]["text"]["items"] == FITTING.sum()


def test_missing_items_are_not_fitted_on_and_stay_zero(tmp_path):
    image = cone(width=6)
    image[::2] = np.nan
    folder = whiten_features(extracted(tmp_path / "data", cone(), image), FITTING, 4)
    features, part = Features(folder), Features(folder).manifest["whitening"]["image"]
    assert (features.text_dim, features.image_dim) == (4, 4)
    assert features.image.dtype == np.float16
    assert not features.image[1:][::2].any()
    assert features.image[1:][1::2].any(axis=1).all()
    assert part["items"] == (FITTING[1:] & (np.arange(ITEMS) % 2 == 1)).sum()
    assert 0.5 < part["explained"] < 1


def test_width_is_cut_to_the_rank_of_the_fitting_items(tmp_path, caplog):
    text = cone(width=3) @ np.random.default_rng(0).normal(size=(3, 20))
    few = np.zeros(ITEMS + 1, dtype=bool)
    few[[2, 5, 9]] = True
    source = extracted(tmp_path / "data", text, cone(width=5))
    assert Features(whiten_features(source, FITTING, 16)).text_dim == 3
    assert "of the text vectors of 40 training items 3 components are kept" in caplog.text
    assert Features(whiten_features(source, few, 16)).image_dim == 1  # half of 3 items


def test_missing_modality_stays_missing(tmp_path):
    features = Features(whiten_features(extracted(tmp_path / "data", cone()), FITTING, 4))
    assert (features.text_dim, features.image_dim) == (4, 0)
    assert list(features.manifest["whitening"]) == ["text"]


def test_whitening_without_fitting_items_is_refused(tmp_path):
    folder = extracted(tmp_path / "data", cone())
    with pytest.raises(UserError, match=r"cannot whiten the text features .*0 vectors"):
        whiten_features(folder, np.zeros(ITEMS + 1, dtype=bool), 4)
    assert [path.name for path in folder.parent.iterdir() if "white" in path.name and path.is_dir()] == []


def test_full_disk_is_one_line_and_leaves_no_folder(tmp_path, monkeypatch):
    folder = extracted(tmp_path / "data", cone())
    monkeypatch.setattr("mmrec.utils.arrays.shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(UserError, match=r"text\.npy: needs 0 MiB, 0 MiB are free"):
        whiten_features(folder, FITTING, 4)
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_killed_whitening_is_removed_by_one_with_other_options(tmp_path):
    folder = extracted(tmp_path / "data", cone())
    left = folder.with_name(f".{folder.name}-white9-0123.partial")
    left.mkdir()
    whiten_features(folder, FITTING, 4)
    assert not left.exists()


def test_whitened_features_are_made_once_per_inputs_and_options(tmp_path, monkeypatch):
    source = extracted(tmp_path / "data", cone())
    first = whiten_features(source, FITTING, 4)
    again = contents(first)
    for changed in ((FITTING, 3), (~FITTING, 4)):
        assert whiten_features(source, *changed) != first
    monkeypatch.setattr("mmrec.data.features.whitened.fit_whitening", None)
    assert whiten_features(source, FITTING, 4) == first
    assert contents(first) == again


def test_datamodule_whitens_on_training_items(toy):
    data = RecDataModule(toy.source, prepare=toy.options, encoder=HandcraftedEncoder(), root=str(toy.root), whiten=16)
    assert (data.text_dim, data.image_dim) == (16, 16)
    trained = data.catalog.train.popularity.numpy() > 0
    fitted = data.features.text[trained & data.features.text_present].astype(np.float32)
    np.testing.assert_allclose(fitted.T @ fitted / len(fitted), np.eye(16), atol=0.01)
    assert "whitened to 16" in data.features.revision
    assert "white" not in toy.features.revision
    with pytest.raises(InvalidArgument, match=r"whiten must be a whole number from 1 to 65,536, but is 0"):
        RecDataModule(toy.source, whiten=0)
