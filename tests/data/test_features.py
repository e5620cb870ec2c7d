"""Features on disk: complete or absent, made once, aligned with the items."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mmrec.data.encoders import Block, HandcraftedEncoder, PrecomputedEncoder, RejectedItem
from mmrec.data.features import Features, extract_features
from mmrec.errors import UserError

MOVIELENS = Path(os.environ.get("MMREC_DATA", Path(__file__).parents[2].parent / "shared/data"), "movielens-1m-poster")
realdata = pytest.mark.skipif(not MOVIELENS.is_dir(), reason=f"no MovieLens posters in {MOVIELENS}; set MMREC_DATA")


def write_items(folder, raw_ids, texts=None, images=None):
    """Write `items.parquet` as preparation does, with the padding row."""
    empty = [None] * len(raw_ids)
    columns = {"raw_id": raw_ids, "title": texts or empty, "text": texts or empty, "image": images or empty}
    table = {name: pl.Series([None, *values], dtype=pl.String) for name, values in columns.items()}
    item = pl.Series(range(len(raw_ids) + 1), dtype=pl.Int32)
    pl.DataFrame({"item": item, **table, "attributes": pl.Series([None] * len(item), dtype=pl.String)}).write_parquet(
        folder / "items.parquet"
    )
    return folder


class Counting:
    """Text vectors (i, 2 i) and image vectors i of item i, without item 2; counts its calls."""

    name = "counting"

    def __init__(self, scale=1.0, dims=(2, 1), die_after=99, bad=()):
        self.scale, self.widths, self.die_after, self.bad, self.calls = scale, dims, die_after, bad, 0

    def options(self):
        return {"scale": self.scale}

    def revision(self):
        return "1"

    def dims(self):
        return self.widths

    def encode(self, items):
        self.calls += 1
        for done, row in enumerate(items["item"].to_list()):
            if done == self.die_after:
                raise KeyboardInterrupt
            for modality, width in zip(("text", "image"), self.widths, strict=True):
                if row in self.bad:
                    yield Block(modality, np.zeros(0, int), np.zeros((0, width)), (RejectedItem("odd", f"item {row}"),))
                elif width and row != 2:
                    yield Block(modality, np.array([row]), self.scale * row * np.arange(1, width + 1)[None])


def test_arrays_masks_and_counts(tmp_path):
    folder = extract_features(write_items(tmp_path, ["a", "b", "c", "d"]), Counting(bad=(3,)))
    features = Features(folder)
    assert (features.text.dtype, features.text_dim, features.image_dim) == (np.float16, 2, 1)
    assert features.text.tolist() == [[0, 0], [1, 2], [0, 0], [0, 0], [4, 8]]
    assert features.image_present.tolist() == [False, True, False, False, True]
    part = json.loads((folder / "features.json").read_text())["image"]
    assert (part["present"], part["missing"]) == (2, 1)
    assert part["rejected"] == {"odd": {"count": 1, "first": "item 3"}}
    assert (features.encoder, features.revision) == ("counting", "1")


def test_features_are_made_once_per_options_and_items(tmp_path):
    encoder = Counting()
    first = extract_features(write_items(tmp_path, ["a", "b"]), encoder)
    assert extract_features(tmp_path, encoder) == first
    assert encoder.calls == 1
    assert extract_features(tmp_path, Counting(scale=2.0)) != first
    write_items(tmp_path, ["a", "b", "c"])
    assert extract_features(tmp_path, encoder) == first
    assert encoder.calls == 2
    assert len(Features(first).text) == 4


def test_a_killed_run_leaves_nothing_to_trust(tmp_path):
    write_items(tmp_path, ["a", "b", "c"])
    with pytest.raises(KeyboardInterrupt):
        extract_features(tmp_path, Counting(die_after=1))
    [partial] = (path for path in (tmp_path / "features").iterdir() if path.is_dir())
    with pytest.raises(UserError, match="not a complete feature folder"):
        Features(partial)
    folder = extract_features(tmp_path, Counting())
    assert Features(folder).text_present.sum() == 2
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_others_wait_for_the_first(tmp_path):
    write_items(tmp_path, ["a", "b", "c"])
    encoder = Counting()
    threads = [threading.Thread(target=extract_features, args=(tmp_path, encoder)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert encoder.calls == 1


def test_a_modality_that_is_not_made_is_empty(tmp_path):
    features = Features(extract_features(write_items(tmp_path, ["a", "b"]), Counting(dims=(3, 0))))
    assert features.image.shape == (3, 0)
    assert features.image_present.tolist() == [False] * 3


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    folder = extract_features(write_items(tmp_path, ["a", "b"]), Counting())
    np.save(folder / "image.npy", np.zeros((2, 1), dtype=np.float16))
    with pytest.raises(UserError, match=r"image.npy: shape \(2, 1\), not \(3, 1\)"):
        Features(folder)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Counting(scale=60_000.0), "text vector of item 1 is not finite as float16"),
        (Counting(bad=(1, 2)), "no text features at all: text: 2 x odd, first item 1"),
    ],
)
def test_useless_features_are_an_error(tmp_path, encoder, message):
    with pytest.raises(UserError, match=message):
        extract_features(write_items(tmp_path, ["a", "b"]), encoder)


def test_unprepared_dataset_is_named(tmp_path):
    with pytest.raises(UserError, match=r"items.parquet does not exist; prepare"):
        extract_features(tmp_path, Counting())


def test_a_full_disk_is_seen_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr("mmrec.data.features.shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(UserError, match="text features need 0 MiB, 0 MiB are free"):
        extract_features(write_items(tmp_path, ["a"]), Counting())


def test_unreadable_pictures_count_as_missing(tmp_path, caplog):
    Image.new("RGB", (9, 9), "red").save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    images = [str(tmp_path / name) for name in ("bad.png", "good.png", "absent.png")]
    folder = extract_features(write_items(tmp_path, ["a", "b", "c"], ["x", "y", None], images), HandcraftedEncoder())
    features = Features(folder)
    assert features.image_present.tolist() == [False, False, True, False]
    assert features.manifest["image"]["rejected"]["unreadable image"]["count"] == 2
    assert "bad.png" in caplog.text


@pytest.mark.realdata
@realdata
def test_precomputed_movielens(tmp_path):
    source = MOVIELENS / "features"
    ids = (source / "items.csv").read_text().split()[1:]
    write_items(tmp_path, [*ids[::-1], "no such movie"])
    encoder = PrecomputedEncoder(
        items=str(source / "items.csv"),
        text=str(source / "text_minilm_l6.npy"),
        image=str(source / "image_efficientnet_lite0.npy"),
    )
    features = Features(extract_features(tmp_path, encoder))
    text, image = np.load(source / "text_minilm_l6.npy"), np.load(source / "image_efficientnet_lite0.npy")
    assert (features.text_dim, features.image_dim) == (384, 1280)
    np.testing.assert_array_equal(features.text[1:-1], text[::-1].astype(np.float16))
    np.testing.assert_array_equal(features.image_present[1:-1], np.isfinite(image[::-1, 0]))
    assert (features.text_present.sum(), features.image_present.sum()) == (3883, 3872)


@pytest.mark.realdata
@realdata
def test_handcrafted_posters(tmp_path):
    posters = sorted((MOVIELENS / "posters").iterdir())[:200]
    write_items(tmp_path, [path.stem for path in posters], images=[str(path) for path in posters])
    features = Features(extract_features(tmp_path, HandcraftedEncoder()))
    assert features.image_present[1:].all()
    np.testing.assert_allclose(np.linalg.norm(features.image[1:].astype(np.float32), axis=1), 1, atol=1e-3)
