"""Engines and runner, with stand-ins for runs and once with a real run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from mmrec.cli.main import lightning
from mmrec.cli.run_identity import identify
from mmrec.reproduce.engines import Engine, LocalEngine, RayEngine
from mmrec.reproduce.estimate import Estimate
from mmrec.reproduce.plan import Plan
from mmrec.reproduce.run import Run
from mmrec.reproduce.runner import execute, last_line
from mmrec.reproduce.spec import Options, Profile
from tests.reproduce.tables import row, spec

WORKS = """
import json, os, time
from pathlib import Path
folder = Path({folder!r})
folder.mkdir(parents=True, exist_ok=True)
Path(folder, "began").write_text(json.dumps([os.getpid(), time.time(), os.environ.get("OMP_NUM_THREADS")]))
{what}
Path(folder, "result.json").touch()
about = {{"dataset": "toy", "config": "sasrec", "profile": "p", "seed": 1}}
Path(folder, "run.json").write_text(json.dumps({{"key": "k", "seconds": 2, **about}}))
Path(folder, "ended").write_text(str(time.time()))
"""


@dataclass(frozen=True)
class Fake(Run):
    """A run whose process executes given code instead of training."""

    what: str = ""

    def command(self) -> list[str]:
        return [sys.executable, "-c", WORKS.format(folder=str(self.folder), what=self.what)]


def fake(name: str, what: str = "") -> Fake:
    about = {"dataset": "toy", "config": "sasrec", "profile": "p", "seed": 1}
    return Fake(Path("runs/toy", name, "seed1"), "k", (), about, what)


def run_all(runs: list[Fake], engine: Engine) -> tuple[list[Run], str]:
    shown = StringIO()
    failed = execute(runs, engine, Estimate(Path("runs"), "p"), Console(file=shown, width=200))
    return failed, shown.getvalue()


def wait_for(found: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("OMP_NUM_THREADS", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_failed_run_is_reported_and_the_others_continue(here: Path) -> None:
    runs = [fake("a"), fake("b", "print('before'); raise SystemExit('the disk is on fire\\n')"), fake("c")]
    failed, shown = run_all(runs, LocalEngine())
    assert failed == [runs[1]]
    assert [run.state for run in runs] == ["done", "new", "done"]
    assert last_line(runs[1].log) == "the disk is on fire"
    assert "[2/3] toy/b/seed1 failed: the disk is on fire; time left: 2 s" in shown
    assert "[3/3] toy/c/seed1 done in 2 s\n" in shown
    before = (runs[0].folder / "began").read_text()
    again, shown = run_all([runs[0], fake("b"), runs[2]], LocalEngine())
    assert again == []
    assert "a/seed1" not in shown
    assert "[3/3] toy/b/seed1 done" in shown
    assert (runs[0].folder / "began").read_text() == before


def test_a_process_that_ends_without_a_result_has_failed(here: Path) -> None:
    assert [str(run) for run in run_all([fake("a", "raise SystemExit(0)")], LocalEngine())[0]] == ["toy/a/seed1"]


def test_workers_run_at_the_same_time_and_divide_the_cores(here: Path) -> None:
    # Each waits until the other has begun, so one after another they would never end.
    meet = "while len(list(Path('runs').rglob('began'))) < 2: time.sleep(0.01)"
    failed, _ = run_all([fake("a", meet), fake("b", meet), fake("c")], LocalEngine(2))
    assert failed == []
    share = str(max(1, (os.cpu_count() or 1) // 2))
    assert {json.loads((fake(name).folder / "began").read_text())[2] for name in "abc"} == {share}


def test_stopping_ends_the_processes_and_starts_no_more(here: Path) -> None:
    runs = [fake("quick"), fake("long", "time.sleep(600)"), fake("never")]
    ended = LocalEngine()(runs, lambda run: None)
    assert next(ended) == runs[0]
    began = runs[1].folder / "began"
    wait_for(lambda: began.is_file() and bool(began.read_text()))
    ended.close()
    assert not alive(json.loads(began.read_text())[0])
    assert [run.state for run in runs] == ["done", "new", "new"]
    assert not runs[2].folder.exists()


def test_a_ray_cluster_executes_the_runs(here: Path) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    try:
        engine = RayEngine(2)
        runs = [fake("a"), fake("b", "raise SystemExit('no luck')"), fake("c")]
        failed, shown = run_all(runs, engine)
        assert failed == [runs[1]]
        assert [run.state for run in runs] == ["done", "new", "done"]
        assert "toy/b/seed1 failed: no luck" in shown
        long = fake("long", "time.sleep(600)")
        ended = engine([long, fake("quick")], lambda run: None)
        assert next(ended).folder.parts[-2] == "quick"
        wait_for(lambda: (long.folder / "began").is_file() and bool((long.folder / "began").read_text()))
        ended.close()
        pid = json.loads((long.folder / "began").read_text())[0]
        wait_for(lambda: not alive(pid))
    finally:
        ray.shutdown()


def test_a_run_refuses_to_start_after_a_change_of_the_code(on_toy: Options) -> None:
    table = spec("mine", [row("a")], Profile("smoke", ("toy",), (1,), on_toy, (0, ())))
    (run,) = Plan([table], "smoke", Path("runs"), identify).first()
    other = replace(run, key="0123456789ab")
    assert execute([other], LocalEngine(), Estimate(Path("runs"), "smoke"), Console(quiet=True)) == [other]
    assert "changed since this table was started" in last_line(run.log)
    assert not run.folder.exists()


RUNNER = """
from pathlib import Path
from rich.console import Console
from mmrec.reproduce.engines import LocalEngine
from mmrec.reproduce.estimate import Estimate
from mmrec.reproduce.run import Run
from mmrec.reproduce.runner import execute
import sys
execute([Run.of_order(sys.argv[1])], LocalEngine(), Estimate(Path("runs"), "p"), Console())
"""


@pytest.mark.slow
def test_a_killed_table_resumes_to_the_same_numbers(on_toy: Options, tmp_path: Path) -> None:
    options = (*on_toy, ("trainer.max_epochs", "6"))
    table = spec("mine", [row("full", "mm_racl_kal")], Profile("smoke", ("toy",), (1,), options, (0, ())))
    (run,) = Plan([table], "smoke", Path("runs"), identify).first()
    command = [sys.executable, "-c", RUNNER, run.command()[-1]]
    last = run.folder / "checkpoints" / "last.ckpt"
    runner = subprocess.Popen(command)
    wait_for(last.is_file)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    # The run is still alive; a second runner waits for it instead of starting another training.
    for pid in pids_of(run):
        os.kill(pid, signal.SIGSTOP)  # so that it is not done before the second runner looks
    second = subprocess.Popen(command)
    wait_for(lambda: "another process is at work" in run.log.read_text())
    assert run.state == "interrupted"
    for pid in pids_of(run):
        os.kill(pid, signal.SIGKILL)  # ends a stopped process too
    second.send_signal(signal.SIGKILL)
    second.wait()
    assert run.state == "interrupted"
    assert execute([run], LocalEngine(), Estimate(Path("runs"), "smoke"), Console(quiet=True)) == []
    assert "Restor" in run.log.read_text()
    assert list(run.folder.glob("metrics.*.csv"))
    whole = [word if word != run.folder.parent.name else "whole" for word in run.args]
    lightning(["fit", *whole])
    results = [
        json.loads(Path("runs/toy", n, "seed1/result.json").read_text()) for n in (run.folder.parent.name, "whole")
    ]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert results[0]["training"]["epochs"] == results[1]["training"]["epochs"] == 6
    assert not (run.folder / "explanations.jsonl").exists()
    # A run that was killed between its fit and its test is only tested.
    for name in ("result.json", "run.json"):
        (run.folder / name).unlink()
    assert execute([run], LocalEngine(), Estimate(Path("runs"), "smoke"), Console(quiet=True)) == []
    again = json.loads((run.folder / "result.json").read_text())
    assert (again["metrics"], again["training"]) == (results[0]["metrics"], results[0]["training"])


def pids_of(run: Run) -> list[int]:
    """Return the processes of a run, by their command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        words = entry.read_text().split("\0")
        if "mmrec.cli.table_run" in words and any(str(run.folder) in word for word in words):
            found.append(int(entry.parent.name))
    return found
