"""The notebooks run from an empty folder, and what is committed has small outputs."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 40_000
"""Bytes that a committed notebook may have."""


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    commands = tmp_path / "bin"  # the commands of this checkout, whether it is installed or not
    commands.mkdir()
    for name, function in (("mmrec", "main"), ("lightning", "lightning")):
        script = commands / name
        script.write_text(f"#!/bin/sh\nexec python -c 'from mmrec.cli.main import {function}; {function}()' \"$@\"\n")
        script.chmod(0o755)
    (commands / "python").symlink_to(Path(sys.executable).absolute())
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    empty = tmp_path / "empty"
    empty.mkdir()
    notebook = nbformat.read(file, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(empty)}}
    )
    client.execute()  # raises for a cell that fails
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    committed = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) == len(committed)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_committed_notebook_is_small_and_has_its_outputs(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert '"output_type": "error"' not in text
    assert '"text": ' in text
