import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from mmrec.data.prepare import images
from mmrec.data.prepare.images import check_images, hash_images, list_images, readable
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


def test_hashes_and_checks_share_the_memory_and_read_no_file_twice(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "memory.parquet"
    hashes = hash_images([*files, "nowhere.jpg"], memory)
    assert hashes == [*(hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files), None]
    assert check_images(files, memory) == [True, False, False, True]
    Path(files[0]).write_bytes(Path(files[3]).read_bytes())
    read: list[str] = []
    for name in ("readable", "hash_file"):
        plain = getattr(images, name)
        monkeypatch.setattr(images, name, lambda file, plain=plain: read.append(str(file)) or plain(file))
    assert hash_images(files, memory) == [hashes[3], *hashes[1:4]]
    assert check_images(files, memory) == [True, False, False, True]
    assert read == [files[0], files[0]]


def test_linked_folders_are_listed_once_and_loops_end(files: list[str], tmp_path: Path) -> None:
    photos, far = tmp_path / "photos", tmp_path / "far"
    for folder in (photos / "a", photos / ".hidden", photos / "data", far / "b"):
        folder.mkdir(parents=True)
        (folder / "x.JPG").write_bytes(b"")
    (photos / "y.png").symlink_to(files[0])
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    links = {"far": far, "far/again": photos, "far/b/back": photos / "a", "a/across": far / "b", "up": tmp_path}
    links |= {"twice": photos / "a", "a/self": photos / "a", "out": tmp_path / "nowhere"}
    for link, target in links.items():
        (photos / link).symlink_to(target)
    found, unfollowed = list_images(photos, without=photos / "data")
    names = {str(file.relative_to(photos)) for file in found}
    assert names == {"y.png", "a/x.JPG", "a/across/x.JPG"}
    assert {str(link.relative_to(photos)) for link, _ in unfollowed} == {
        *("a/across/back", "a/self", "far/again", "far/b", "twice", "up")
    }


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_list_of_earlier_answers_is_ignored(content: bytes, files: list[str], tmp_path: Path) -> None:
    (tmp_path / "memory.parquet").write_bytes(content)
    assert check_images(files, tmp_path / "memory.parquet") == [True, False, False, True]


def test_no_file_is_written_with_write_false(files: list[str], tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert check_images(files, tmp_path / "memory.parquet", write=False) == [True, False, False, True]
    assert sorted(tmp_path.iterdir()) == before
