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
    for name, rest in (
        ("python", ""),
        ("mmrec", "-m mmrec"),
        ("lightning", "-m mmrec lightning"),
    ):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {rest} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    empty = tmp_path / "empty"
    empty.mkdir()
    notebook = nbformat.read(file, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(empty)}}
    )
    client.execute()  # raises for a cell that fails
    pairs = zip(notebook.cells, nbformat.read(file, as_version=4).cells, strict=True)
    assert all(now.outputs for now, committed in pairs if committed.get("outputs"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_committed_notebook_is_small_and_has_its_outputs(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert '"output_type": "error"' not in text
    assert '"text": ' in text
