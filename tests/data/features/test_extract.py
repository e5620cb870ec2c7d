"""Extraction: complete or absent, made once, aligned with the items."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mmrec.data.features.encoders import Block, HandcraftedEncoder, PrecomputedEncoder, RejectedItem
from mmrec.data.features.extract import extract_features
from mmrec.data.features.store import Features
from mmrec.errors import UserError

MOVIELENS = Path(os.environ.get("MMREC_DATA", Path(__file__).parents[3].parent / "shared/data"), "movielens-1m-poster")
realdata = pytest.mark.skipif(not MOVIELENS.is_dir(), reason=f"no MovieLens posters in {MOVIELENS}; set MMREC_DATA")


def write_items(folder, raw_ids, texts=None, images=None):
    """Write `items.parquet` as preparation does, with the padding row."""
    folder.mkdir(exist_ok=True)
    empty = [None] * len(raw_ids)
    columns = {"raw_id": raw_ids, "title": texts or empty, "text": texts or empty, "image": images or empty}
    table = {name: pl.Series([None, *values], dtype=pl.String) for name, values in columns.items()}
    item = pl.Series(range(len(raw_ids) + 1), dtype=pl.Int32)
    pl.DataFrame({"item": item, **table, "attributes": pl.Series([None] * len(item), dtype=pl.String)}).write_parquet(
        folder / "items.parquet"
    )
    return folder


class Counting:
    """Text vectors (i, 2 i) and image vectors i of item i, without item 2; records what it is asked for."""

    name = "counting"

    def __init__(self, scale=1.0, modalities=("text", "image"), die_at=None, bad=()):
        self.scale, self.made, self.die_at, self.bad, self.asked = scale, modalities, die_at, bad, []

    def options(self):
        return {"scale": self.scale}

    def revision(self):
        return "1"

    def modalities(self):
        return self.made

    def encode(self, parts):
        for modality, items in parts:
            rows = items["item"].to_numpy().astype(np.int64)
            if (modality, self.die_at) in {(modality, row) for row in rows.tolist()} and modality == self.made[-1]:
                raise KeyboardInterrupt
            self.asked += [(modality, row) for row in rows.tolist()]
            rejected = tuple(RejectedItem("odd", f"item {row}") for row in rows if row in self.bad)
            rows = rows[(rows != 2) & ~np.isin(rows, self.bad)]
            width = {"text": 2, "image": 1}[modality]
            yield Block(rows, self.scale * rows[:, None] * np.arange(1, width + 1), rejected)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def folders(dataset):
    return [path.name for path in (dataset / "features").iterdir() if path.is_dir()]


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("mmrec.data.features.extract.PART_ITEMS", 2)


def test_folder_holds_arrays_masks_and_counts(tmp_path):
    folder = extract_features(write_items(tmp_path, ["a", "b", "c", "d"]), Counting(bad=(3,)))
    features = Features(folder)
    assert (features.text.dtype, features.text_dim, features.image_dim) == (np.float16, 2, 1)
    assert features.text.tolist() == [[0, 0], [1, 2], [0, 0], [0, 0], [4, 8]]
    assert features.image_present.tolist() == [False, True, False, False, True]
    part = json.loads((folder / "features.json").read_text())["image"]
    assert (part["present"], part["missing"]) == (2, 2)
    assert part["rejected"] == {"odd": {"count": 1, "first": "item 3"}}
    assert (features.encoder, features.revision) == ("counting", "1")


def test_coverage_counts_items_by_what_they_have(tmp_path):
    texts, images = ["x", "y", None, None], [None, str(tmp_path / "a.png"), str(tmp_path / "a.png"), None]
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    folder = extract_features(write_items(tmp_path, ["a", "b", "c", "d"], texts, images), HandcraftedEncoder())
    coverage = Features(folder).manifest["coverage"]
    assert coverage == {"both": 1, "text_only": 1, "image_only": 1, "neither": 1}


def test_features_are_made_once_per_options_and_items(tmp_path):
    encoder = Counting()
    first = extract_features(write_items(tmp_path, ["a", "b"]), encoder)
    assert extract_features(tmp_path, encoder) == first
    assert len(encoder.asked) == 4
    assert extract_features(tmp_path, Counting(scale=2.0)) != first
    write_items(tmp_path, ["a", "b", "c"])
    assert extract_features(tmp_path, encoder) == first
    assert len(encoder.asked) == 10
    assert len(Features(first).text) == 4


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("die_at", [1, 4, 7])
def test_interrupted_extraction_continues_from_its_blocks(tmp_path, die_at):
    whole, broken = (write_items(tmp_path / name, list("abcdefg")) for name in ("whole", "broken"))
    expected = extract_features(whole, Counting(bad=(5,)))
    first, second = Counting(bad=(5,), die_at=die_at), Counting(bad=(5,))
    with pytest.raises(KeyboardInterrupt):
        extract_features(broken, first)
    [partial] = folders(broken)
    with pytest.raises(UserError, match=r"features\.json: cannot be read"):
        Features(broken / "features" / partial)
    folder = extract_features(broken, second)
    assert contents(folder) == contents(expected)
    assert sorted(first.asked + second.asked) == sorted((m, row) for m in ("text", "image") for row in range(1, 8))
    assert folders(broken) == [folder.name]


@pytest.mark.usefixtures("small_parts")
def test_half_written_block_is_encoded_again(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    write_items(tmp_path, list("abcd"))
    with monkeypatch.context() as patch:
        patch.setattr("mmrec.utils.files.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            extract_features(tmp_path, Counting())
    encoder = Counting()
    features = Features(extract_features(tmp_path, encoder))
    assert len(encoder.asked) == 8
    assert features.text[1:, 1].tolist() == [2, 0, 6, 8]


KILLED = """
import os, signal, sys
from pathlib import Path
from mmrec.data.features import extract as features
from tests.data.features.test_extract import Counting

class Killed(Counting):
    __module__, __qualname__ = Counting.__module__, Counting.__qualname__
    def encode(self, parts):
        for number, block in enumerate(super().encode(parts)):
            if number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            yield block

features.PART_ITEMS = 2
features.extract_features(Path(sys.argv[1]), Killed())
"""


@pytest.mark.usefixtures("small_parts")
def test_killed_process_keeps_its_finished_blocks(tmp_path):
    whole, broken = (write_items(tmp_path / name, list("abcdefg")) for name in ("whole", "broken"))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(broken)], cwd=Path(__file__).parents[3])
    assert killed.returncode == -signal.SIGKILL
    encoder = Counting()
    assert contents(extract_features(broken, encoder)) == contents(extract_features(whole, Counting()))
    assert encoder.asked == [("image", row) for row in range(3, 8)]  # four parts of texts and one of images were done


@pytest.mark.usefixtures("small_parts")
def test_blocks_of_other_items_are_discarded(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        extract_features(write_items(tmp_path, list("abcd")), Counting(die_at=3))
    encoder = Counting()
    folder = extract_features(write_items(tmp_path, list("dcba")), encoder)
    assert len(encoder.asked) == 8
    assert folders(tmp_path) == [folder.name]


def test_images_that_were_all_unreadable_are_encoded_once_they_exist(tmp_path):
    image = tmp_path / "a.png"
    write_items(tmp_path, ["a"], images=[str(image)])
    with pytest.raises(UserError, match="no image features at all: image: 1 x unreadable image"):
        extract_features(tmp_path, HandcraftedEncoder())
    Image.new("RGB", (9, 9), "red").save(image)
    assert Features(extract_features(tmp_path, HandcraftedEncoder())).image_present[1]


def test_concurrent_extractions_encode_once(tmp_path):
    write_items(tmp_path, ["a", "b", "c"])
    encoder = Counting()
    threads = [threading.Thread(target=extract_features, args=(tmp_path, encoder)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(encoder.asked) == 6


def test_modality_that_the_encoder_does_not_make_is_empty(tmp_path):
    features = Features(extract_features(write_items(tmp_path, ["a", "b"]), Counting(modalities=("text",))))
    assert (features.text_dim, features.image.shape) == (2, (3, 0))
    assert features.image_present.tolist() == [False] * 3


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Counting(scale=60_000.0), "text vector of item 1 is not finite as float16"),
        (Counting(bad=(1, 2)), "no text features at all: text: 2 x odd, first item 1"),
    ],
)
def test_features_that_cannot_be_used_are_refused(tmp_path, encoder, message):
    with pytest.raises(UserError, match=message):
        extract_features(write_items(tmp_path, ["a", "b"]), encoder)


def test_ids_without_a_row_are_named(tmp_path):
    np.save(tmp_path / "text.npy", np.zeros((2, 3), dtype=np.float32))
    (tmp_path / "ids.csv").write_text("p\nq\n")
    encoder = PrecomputedEncoder(items=str(tmp_path / "ids.csv"), text=str(tmp_path / "text.npy"))
    with pytest.raises(UserError, match=r"2 x id without a row, first .*ids.csv: no 'x' in .*such as 'p'"):
        extract_features(write_items(tmp_path, ["x", "y"]), encoder)


def test_missing_items_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"items.parquet does not exist; prepare"):
        extract_features(tmp_path, Counting())


def test_full_disk_is_noticed_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr("mmrec.utils.arrays.shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(UserError, match=r"text\.npy: needs 0 MiB, 0 MiB are free"):
        extract_features(write_items(tmp_path, ["a"]), Counting())


def test_unreadable_images_count_as_missing(tmp_path, caplog):
    Image.new("RGB", (9, 9), "red").save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    images = [str(tmp_path / name) for name in ("bad.png", "good.png", "absent.png")]
    folder = extract_features(write_items(tmp_path, ["a", "b", "c"], ["x", "y", None], images), HandcraftedEncoder())
    features = Features(folder)
    assert features.image_present.tolist() == [False, False, True, False]
    assert features.manifest["image"]["rejected"]["unreadable image"]["count"] == 2
    assert features.manifest["image"]["missing"] == 2
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
