"""Long commands are killed at random moments and started again; what comes out is what an undisturbed one makes."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

TOY = ["--data", "toy", "--data.root", "data", "--data.source.init_args.path", "raw"]
FIT = [*TOY, "--model", "mm_racl_kal", "--trainer.max_epochs", "6", "--explain", "false", "--tracking.wandb", "false"]
RESULT = "toy/mm_racl_kal/seed1/result.json"


def start(folder: Path, *args: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mmrec", *args]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(folder: Path, *args: str) -> str:
    process = start(folder, *args)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def metrics(folder: Path, runs: str) -> dict[str, float]:
    return json.loads((folder / runs / RESULT).read_text())["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_fit_killed_at_random_moments_reaches_the_undisturbed_result(signum: int, tmp_path: Path) -> None:
    started = time.monotonic()
    finish(tmp_path, "fit", *FIT, "--runs", "whole")
    seconds = time.monotonic() - started
    draw = random.Random(signum)
    last = tmp_path / "killed" / RESULT.replace("result.json", "checkpoints/last.ckpt")
    for _ in range(4):
        resume = ["--ckpt_path", "last"] if last.is_file() else []
        process = start(tmp_path, "fit", *FIT, "--runs", "killed", *resume)
        time.sleep(draw.uniform(0.3, 1.1) * seconds)
        process.send_signal(signum)
        output, _ = process.communicate(timeout=120)
        assert process.returncode in (0, -signum, 128 + signum), output
    resume = ["--ckpt_path", "last"] if last.is_file() else []
    finish(tmp_path, "fit", *FIT, "--runs", "killed", *resume)
    assert metrics(tmp_path, "killed") == metrics(tmp_path, "whole")
    assert not list((tmp_path / "killed").rglob("*.tmp"))
    assert "ckpt_path" not in yaml.safe_load((last.parent.parent / "config.yaml").read_text())


@pytest.mark.slow
def test_preparation_killed_at_random_moments_makes_the_same_dataset(tmp_path: Path) -> None:
    started = time.monotonic()
    whole = finish(tmp_path, "prepare", *TOY)
    seconds = time.monotonic() - started
    (tmp_path / "data").rename(tmp_path / "whole")
    draw = random.Random(0)
    for _ in range(4):
        process = start(tmp_path, "prepare", *TOY)
        time.sleep(draw.uniform(0.5, 1.0) * seconds)
        process.kill()
        process.communicate(timeout=60)
    again = finish(tmp_path, "prepare", *TOY)
    assert [line for line in again.splitlines() if "data hash" in line] == [
        line for line in whole.splitlines() if "data hash" in line
    ]
    names = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.parquet")}
    assert names == {path.relative_to(tmp_path / "data") for path in (tmp_path / "data").rglob("*.parquet")}
    assert not list((tmp_path / "data").rglob("*.tmp"))


@pytest.mark.slow
def test_of_two_fits_in_one_folder_one_is_refused_and_the_other_whole(tmp_path: Path) -> None:
    finish(tmp_path, "prepare", *TOY)
    both = [start(tmp_path, "fit", *FIT, "--data.batch_size", size) for size in ("64", "16")]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], outputs
    assert "writes there: wait for it" in outputs[0] + outputs[1]
    winner = "64" if both[0].returncode == 0 else "16"
    config = yaml.safe_load((tmp_path / "runs" / RESULT.replace("result.json", "config.yaml")).read_text())
    assert str(config["data"]["batch_size"]) == winner
    assert metrics(tmp_path, "runs")
