"""Reading a feature folder: every damaged or changed file ends in one line that names it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmrec.data.features.extract import extract_features
from mmrec.data.features.store import Features
from mmrec.errors import UserError
from mmrec.utils.checksums import NOTES
from tests.data.features.test_extract import Counting, write_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = extract_features(write_items(tmp_path / "data", list("abcde")), Counting())
    for file in made.iterdir():  # long enough ago for its time of modification to be noted
        os.utime(file, (1_700_000_000, 1_700_000_000))
    Features(made)
    assert (made / NOTES).is_file()
    return made


def saved(array: np.ndarray) -> bytes:
    file = Path(os.environ.get("TMPDIR", "/tmp"), f"saved-{os.getpid()}.npy")
    np.save(file, array)
    content = file.read_bytes()
    file.unlink()
    return content


def reverse(array: np.ndarray) -> np.ndarray:
    return array[::-1].copy()


def put_nan(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[1] = np.nan
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (reverse, "the content has changed since it was written"),
        (put_nan, "the content has changed since it was written"),
        (lambda array: array.astype(np.int32), r"is int32 \(6, 2\), not float16 \(6, 2\)"),
        (lambda array: array[:-1], r"is float16 \(5, 2\), not float16 \(6, 2\)"),
    ],
)
def test_changed_array_is_refused(folder: Path, change: object, message: str) -> None:
    file = folder / "text.npy"
    file.write_bytes(saved(change(np.load(file))))
    with pytest.raises(UserError, match=rf"text\.npy: {message}.*remove .* and run again") as caught:
        Features(folder)
    assert "\n" not in str(caught.value)


def test_changed_mask_is_refused(folder: Path) -> None:
    np.save(folder / "image_present.npy", np.ones(6, bool))
    with pytest.raises(UserError, match=r"image_present\.npy: the content has changed"):
        Features(folder)


@pytest.mark.parametrize("name", ["text.npy", "image.npy", "text_present.npy", "image_present.npy"])
@pytest.mark.parametrize("length", [0, 5, 100, -2])
def test_damaged_array_is_refused(folder: Path, name: str, length: int) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(UserError, match=rf"{name}: cannot be read .*run again") as caught:
        Features(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"name": 1}', b"[" * 100_000, b'{"n_items": 1' + b"0" * 5000],
)
def test_damaged_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / "features.json").write_bytes(content)
    dataset, encoder = folder.parents[1], Counting()
    for use in (lambda: Features(folder), lambda: extract_features(dataset, encoder)):
        with pytest.raises(UserError, match=r"features\.json.*run again") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_manifest_of_wrong_types_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "features.json").read_text())
    manifest["text"]["dim"] = "2"
    (folder / "features.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"features\.json: text\.dim must be a whole number"):
        Features(folder)


def test_array_is_hashed_again_only_after_a_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("mmrec.data.features.store.hash_file", lambda file: hashed.append(file.name) or "other")
    Features(folder)
    assert not hashed
    os.utime(folder / "image.npy", (1_700_000_001, 1_700_000_001))
    with pytest.raises(UserError, match=r"image\.npy: the content has changed"):
        Features(folder)
    assert hashed == ["image.npy"]


def test_copied_folder_is_hashed_and_accepted(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile))
    np.testing.assert_array_equal(Features(copy).text, Features(folder).text)


def test_damaged_notes_are_ignored(folder: Path) -> None:
    before = len(Features(folder).text)
    for content in ("", "[]", "{", '{"text.npy": 3}'):
        (folder / NOTES).write_text(content)
        assert Features(folder).text.shape[0] == before
