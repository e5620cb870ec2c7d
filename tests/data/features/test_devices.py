"""Encoding in several processes: the same files as in one."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from mmrec.data.features.encoders import HandcraftedEncoder, JoinedEncoder, TimmEncoder
from mmrec.data.features.extract import extract_features
from mmrec.data.features.store import Features
from mmrec.errors import UserError
from tests.data.features.test_extract import contents, write_items


@pytest.fixture
def images(tmp_path):
    rng, files = np.random.default_rng(0), []
    for index in range(11):
        files.append(str(tmp_path / f"{index}.png"))
        Image.fromarray(rng.integers(0, 256, (40 + index, 50, 3), dtype=np.uint8)).save(files[-1])
    files[3], files[7] = str(tmp_path / "absent.png"), None
    return files


@pytest.fixture
def encoder(tmp_path):
    torch.manual_seed(0)
    torch.save(timm.create_model("test_efficientnet").state_dict(), tmp_path / "weights.pth")
    image = TimmEncoder("test_efficientnet.r160_in1k", str(tmp_path / "weights.pth"), batch_size=2, device="cpu")
    return JoinedEncoder(HandcraftedEncoder(), image)


@pytest.mark.slow
def test_two_processes_make_the_same_files_as_one(tmp_path, images, encoder, monkeypatch):
    monkeypatch.setattr("mmrec.data.features.extract.PART_ITEMS", 3)
    texts = [f"word{index}" for index in range(11)]
    one, two = (write_items(tmp_path / name, list("abcdefghijk"), texts, images) for name in ("one", "two"))
    expected = extract_features(one, encoder)
    folder = extract_features(two, encoder, devices=2)
    assert Features(folder).image_present.sum() == 9
    assert contents(folder) == contents(expected)


@pytest.mark.slow
def test_mistake_in_a_process_is_one_line(tmp_path, images, monkeypatch):
    monkeypatch.setattr("mmrec.data.features.extract.PART_ITEMS", 3)
    torch.save({"x": torch.zeros(1)}, tmp_path / "weights.pth")
    encoder = TimmEncoder("test_efficientnet", str(tmp_path / "weights.pth"), device="cpu")
    with pytest.raises(UserError, match=r"weights.pth: cannot be loaded as test_efficientnet") as caught:
        extract_features(write_items(tmp_path / "data", list("abcdefghijk"), images=images), encoder, devices=2)
    assert "\n" not in str(caught.value)


def test_processes_of_a_launcher_do_not_start_their_own(tmp_path, images, monkeypatch):
    monkeypatch.setattr("mmrec.data.features.extract.PART_ITEMS", 3)
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(UserError, match="run `mmrec prepare` with this config first"):
        extract_features(write_items(tmp_path / "data", list("abcd"), list("abcd")), HandcraftedEncoder(), devices=2)
