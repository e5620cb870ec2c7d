"""The wheel in an environment without the checkout, in an empty folder, as a user has it."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import mmrec

ROOT = Path(__file__).parents[2]
LARGEST = 2_000_000
"""Bytes that the wheel may have."""

Command = Callable[..., str]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist; the wheel is made from the sdist, so that both are complete."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env=own_environment())
    return folder


@pytest.fixture(scope="module")
def command(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A function that runs a command of the installed wheel; the dependencies are those of this environment."""
    folder, empty = tmp_path_factory.mktemp("venv"), tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files are not read
    (wheel,) = dist.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--no-deps",
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, env=own_environment())

    def run(name: str, *args: str) -> str:
        done = subprocess.run(
            [folder / "bin" / name, *args],
            cwd=empty,
            env=own_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run.folder = empty  # type: ignore[attr-defined]
    return run


def own_environment() -> dict[str, str]:
    """The environment without the checkout on the path of Python."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


@pytest.mark.slow
def test_wheel_and_sdist_hold_what_they_should(dist: Path) -> None:
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    assert mmrec.__version__ in wheel.name
    assert mmrec.__version__ in sdist.name
    assert wheel.stat().st_size < LARGEST
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert all(name.startswith(("mmrec/", "mmrec-")) for name in names)
    shipped = {f"mmrec/{path.relative_to(ROOT)}" for path in (ROOT / "lightning_configs").rglob("*.yaml")}
    assert shipped <= set(names)
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mmrec").rglob("*.py")}
    assert code <= set(names)


@pytest.mark.slow
def test_the_demo_trains_explains_and_reports(command: Command) -> None:
    assert command("mmrec", "--version").strip() == mmrec.__version__
    origin = command("python", "-c", "import mmrec; print(mmrec.__file__)").strip()
    assert "site-packages" in origin
    assert not origin.startswith(str(ROOT))
    shown = command("mmrec", "demo")
    folder: Path = command.folder  # type: ignore[attr-defined]
    metrics = json.loads((folder / "runs/toy/mm_racl_kal/seed1/result.json").read_text())["metrics"]
    assert 0.33 < metrics["ndcg@10"] < 0.37  # the last digits depend on the number of threads
    assert re.search(r"mm_racl_kal\s+1\s+0\.6\d+\s+0\.3\d+", shown)
    assert "report.html" in shown
    assert "mm_racl_kal" in (folder / "report.html").read_text()
    assert (folder / "runs/toy/mm_racl_kal/seed1/README.md").is_file()


@pytest.mark.slow
def test_a_fit_by_names_and_a_report(command: Command) -> None:
    command("lightning", "fit", "--data", "toy", "--model", "mm_racl_kal_id", "--trainer.max_epochs", "2")
    assert "page.html" in command("mmrec", "report", "runs", "--out", "page.html")
    assert yaml.safe_load(command("mmrec", "config", "my_shop"))["data"]["source"]["class_path"] == "Tabular"


@pytest.mark.slow
def test_somebodys_own_model_is_tested_in_three_lines(command: Command) -> None:
    page = (ROOT / "docs/adding-a-model.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    folder: Path = command.folder  # type: ignore[attr-defined]
    (folder / "my_model.py").write_text(blocks[0])
    (folder / "test_my_model.py").write_text(next(block for block in blocks if "TrainedModelContract" in block))
    assert " passed" in command("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_model.py")
