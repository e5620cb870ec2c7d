"""A working folder of a user."""

from pathlib import Path

import pytest

from mmrec.data.datamodule import RecDataModule


@pytest.fixture
def here(tmp_path: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, far from the checkout; the prepared toy data is shared by all tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    return tmp_path
