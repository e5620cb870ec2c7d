"""Runs that are sent to W&B, and the messages where none can be sent."""

import sys
from pathlib import Path

import pytest

from mmrec.dashboard.offline import baseline_id
from mmrec.dashboard.sync import AT_ONCE, sync_runs
from mmrec.errors import UserError


def offline(runs: Path, seed: str, day: int, sent: bool = False) -> Path:
    folder = runs / "toy" / "sasrec" / seed / "wandb" / f"offline-run-202611{day:02d}_000000-0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "run-0123456789abcdef.wandb").touch()
    if sent:
        (folder / "run-0123456789abcdef.wandb.synced").touch()
    return folder


def sent(runs: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> list[list[str]]:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    calls: list[list[str]] = []
    sync_runs([runs], lambda command: calls.append(command) or status)
    return calls


def test_runs_are_sent_once_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later, first = offline(tmp_path, "seed1", 2), offline(tmp_path, "seed1", 1)
    offline(tmp_path, "seed2", 1, sent=True)
    offline(tmp_path, "seed1.1", 1)  # set aside
    command = [sys.executable, "-m", "wandb", "sync", str(first), str(later)]
    assert sent(tmp_path, monkeypatch) == [command]


def test_many_runs_are_sent_in_parts_until_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(AT_ONCE + 1):
        offline(tmp_path, f"seed{seed}", 1)
    assert [len(command) - 4 for command in sent(tmp_path, monkeypatch)] == [AT_ONCE, 1]
    with pytest.raises(UserError, match="repeat the command to send the remaining runs"):
        sent(tmp_path, monkeypatch, status=1)


def test_without_an_account_the_waiting_runs_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nowhere/netrc")
    sync_runs([tmp_path])
    assert "nothing was sent" in capsys.readouterr().out
    offline(tmp_path, "seed1", 1)
    with pytest.raises(UserError, match=r"1 offline runs are waiting.*wandb login"):
        sync_runs([tmp_path])
    with pytest.raises(UserError, match="no such folder"):
        sync_runs([tmp_path / "nowhere"])


def test_a_folder_without_runs_has_no_baseline(tmp_path: Path) -> None:
    assert baseline_id([tmp_path, tmp_path / "absent"], "toy", "sasrec") is None
