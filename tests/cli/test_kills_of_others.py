"""Explain, evaluate, predict and search: killed, asked to end, without room on the disk, and two at once."""

import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.cli.test_kills import TOY, finish, start

RUN = "runs/toy/sasrec/seed1"
FIT = [*TOY, "--model", "sasrec", "--trainer.max_epochs", "1", "--explain", "false", "--tracking.wandb", "false"]
COMMANDS = {
    "explain": [
        "explain",
        "--ckpt",
        RUN,
        "--user",
        "{user}",
        "--top_k",
        "200",
        "--llm",
        "null",
        "--out",
        "out/x.jsonl",
    ],
    "evaluate": ["explain", "evaluate", "--ckpt", RUN, "--llm", "null", "--out", "out"],
    "predict": ["predict", *TOY, "--model", "sasrec"],
    "search": ["search", "sweep.yaml", "--trials", "2", "--folder", "out"],
}
MAKES = {
    "explain": "out/x.jsonl", "evaluate": "out/evaluation.json", "predict": f"{RUN}/recommendations.parquet",
    "search": "out/sweep.yaml",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    finish(folder, "fit", *FIT)
    sweep = {
        "command": ["mmrec", "lightning", "fit", *FIT, "${args}"],
        "metric": {"name": "valid/ndcg@10", "goal": "maximize"},
        "parameters": {"model.init_args.lr": {"values": [0.001, 0.002]}},
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "here"))


def command(folder: Path, name: str) -> list[str]:
    user = pl.read_parquet(folder / RUN / "test_ranks.parquet")["user"][0]
    return [user if word == "{user}" else word for word in COMMANDS[name]]


def assert_whole(file: Path) -> None:
    """Check that a file can be read from its beginning to its end."""
    if file.suffix == ".jsonl":
        assert all(json.loads(line) for line in file.read_text().splitlines())
    elif file.suffix == ".json":
        json.loads(file.read_text())
    elif file.suffix == ".yaml":
        assert yaml.safe_load(file.read_text())
    else:
        assert file.read_bytes()[:4] == file.read_bytes()[-4:] == b"PAR1"


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_killed_command_leaves_is_whole_and_the_command_can_be_repeated(
    name: str, signum: int, here: Path
) -> None:
    args = command(here, name)
    started = time.monotonic()
    finish(here, *args)
    seconds = time.monotonic() - started
    (here / MAKES[name]).unlink()
    draw = random.Random(signum)
    for _ in range(2):
        process = start(here, *args)
        time.sleep(draw.uniform(0.3, 1.0) * seconds)
        process.send_signal(signum)
        output, _ = process.communicate(timeout=120)
        assert process.returncode in (0, -signum, 128 + signum), output
        if (here / MAKES[name]).exists():
            assert_whole(here / MAKES[name])
    finish(here, *args)
    assert_whole(here / MAKES[name])
    assert not list(here.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "evaluate", "predict"])
def test_a_file_that_cannot_be_written_is_one_line(name: str, here: Path) -> None:
    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    ended = _run(here, command(here, name), little_room)
    assert ended.returncode == 2, ended.stdout
    (line,) = (line for line in ended.stdout.splitlines() if line.startswith("mmrec: "))
    assert "cannot be written" in line or "File too large" in line
    assert not (here / MAKES[name]).exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "evaluate", "predict"])
def test_of_two_writers_one_is_refused(name: str, here: Path) -> None:
    args = command(here, name)
    both = [start(here, *args) for _ in range(2)]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 2], [0, 0]), outputs  # one may end before the other opens the folder
    if codes == [0, 2]:
        assert "writes there: wait for it" in outputs[0] + outputs[1]
    assert_whole(here / MAKES[name])


def _run(folder: Path, args: list[str], before: Callable[[], None]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mmrec", *args], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, preexec_fn=before, timeout=600, check=False,
    )  # fmt: skip
