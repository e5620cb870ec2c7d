"""Two at once: the second says what it waits for, and goes on when the first is done."""

import threading
from pathlib import Path

import pytest

from mmrec.utils.lock import locked


def test_the_second_says_so_and_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_nobody_waits_for_a_lock_that_is_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with locked(tmp_path / "dataset"):
            pass
    assert not capsys.readouterr().err
