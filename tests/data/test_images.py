import os
from pathlib import Path

import pytest
from PIL import Image

from mmrec.data.prepare import images
from mmrec.data.prepare.images import check_images, readable
from tests.data.rows import jpeg


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, content in {"a": jpeg(), "b": jpeg()[:2000], "c": b"not an image", "d": jpeg()}.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
    return [str(tmp_path / f"{name}.jpg") for name in "abcd"]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_only_whole_images_of_bounded_size_are_readable(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [readable(file) for file in (*files, "nowhere.jpg")] == [True, False, False, True, None]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    assert not readable(files[0])


def test_an_interrupted_check_is_continued(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, opened = tmp_path / "memory.parquet", []

    def slow(file: str) -> bool:
        opened.append(file)
        if len(opened) == 3:
            raise KeyboardInterrupt
        return readable(file)

    monkeypatch.setattr(images, "SAVE_EVERY", 0)
    monkeypatch.setattr(images, "readable", slow)
    monkeypatch.setattr(images, "PART", 1)
    with pytest.raises(KeyboardInterrupt):
        check_images(files, memory)
    assert check_images(files, memory) == [True, False, False, True]
    assert [file for file in opened if opened.count(file) > 1] == [files[2]] * 2


def test_a_changed_file_is_opened_again(files: list[str], tmp_path: Path) -> None:
    memory = tmp_path / "memory.parquet"
    check_images(files, memory)
    Path(files[1]).write_bytes(jpeg())
    os.utime(files[0], ns=(1, 1))
    assert check_images(files, memory) == [True, True, False, True]


def test_a_file_that_could_not_be_opened_is_tried_again(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", refuse)
        assert check_images(files, tmp_path / "memory.parquet") == [False] * 4
    assert check_images(files, tmp_path / "memory.parquet") == [True, False, False, True]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_list_of_earlier_answers_is_ignored(content: bytes, files: list[str], tmp_path: Path) -> None:
    (tmp_path / "memory.parquet").write_bytes(content)
    assert check_images(files, tmp_path / "memory.parquet") == [True, False, False, True]


def test_no_file_is_written_with_write_false(files: list[str], tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert check_images(files, tmp_path / "memory.parquet", write=False) == [True, False, False, True]
    assert sorted(tmp_path.iterdir()) == before
