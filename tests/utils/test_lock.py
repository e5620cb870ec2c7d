"""Two processes at once: the second says what it waits for, and continues when the first is done."""

import threading
from pathlib import Path

import pytest

from mmrec.errors import UserError
from mmrec.utils.lock import locked, partial_folder, remove_abandoned


def test_second_process_says_so_and_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, order = tmp_path / "new" / "dataset", []

    def second() -> None:
        with locked(folder):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(folder):
        thread.start()
        thread.join(timeout=0.2)  # it cannot end while the lock is held
        assert thread.is_alive()
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
    assert f"another process is at work on {folder}: waiting" in capsys.readouterr().err


def test_free_lock_is_taken_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with locked(tmp_path / "dataset"):
            pass
    assert not capsys.readouterr().err


def test_lock_that_cannot_be_created_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"dataset: cannot be made, because \.dataset\.lock cannot be locked"),
        locked(tmp_path / "file" / "dataset"),
    ):
        pass


def test_partial_folders_of_killed_processes_are_removed_and_those_at_work_kept(tmp_path: Path) -> None:
    for name in ("done", "killed", "at-work"):
        partial_folder(tmp_path / name).mkdir()
    with locked(tmp_path / "at-work"):
        remove_abandoned(tmp_path, "k")
        assert not partial_folder(tmp_path / "killed").exists()
        remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [".at-work.partial"]
