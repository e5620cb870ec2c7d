"""Files appear whole, leftovers of killed processes disappear, and what cannot be written or read is one line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmrec.errors import UserError
from mmrec.utils import files
from mmrec.utils.files import HOST, read_mapping, remove_leftovers, write_whole


@pytest.fixture(autouse=True)
def forget_swept_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_swept", set())


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("content", ["new", b"new", lambda path: path.write_text("new")])
def test_file_is_replaced_whole(tmp_path: Path, content: object) -> None:
    file = tmp_path / "folder" / "file.txt"
    write_whole(file, "old")
    write_whole(file, content)
    assert file.read_text() == "new"
    assert os.listdir(file.parent) == ["file.txt"]


def test_interrupted_writing_leaves_the_former_file(tmp_path: Path) -> None:
    def write_half(path: Path) -> None:
        path.write_text("ne")
        raise KeyboardInterrupt

    write_whole(tmp_path / "file.txt", "old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file.txt", write_half)
    assert (tmp_path / "file.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [f".a.json.{HOST}.{os.getpid()}.tmp", ".a.json.other-host.1.tmp", ".hidden", "a.json", f".{HOST}.12"]
    removed = [f".a.json.{HOST}.{ended_process()}.tmp", ".b.json.other-host.2.tmp"]
    for name in kept + removed:
        (tmp_path / name).write_text("")
    long_ago = time.time() - 90_000
    os.utime(tmp_path / removed[1], (long_ago, long_ago))
    write_whole(tmp_path / "c.json", "")
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "c.json"])


def test_killed_writer_leaves_what_the_next_writer_removes(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from mmrec.utils.files import write_whole\n"
    code += "write_whole(Path(sys.argv[1]), lambda path: (path.write_text('x'), os.kill(os.getpid(), 9)))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "file.txt")], check=False)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".file.txt.")]
    write_whole(tmp_path / "other.txt", "")
    assert os.listdir(tmp_path) == ["other.txt"]


def test_folder_is_searched_for_leftovers_once(tmp_path: Path) -> None:
    remove_leftovers(tmp_path)
    left = tmp_path / f".a.{HOST}.{ended_process()}.tmp"
    left.write_text("")
    remove_leftovers(tmp_path)
    assert left.exists()


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np, polars as pl
from mmrec.errors import UserError
from mmrec.utils.arrays import write_array, write_archive, write_rows
from mmrec.utils.files import write_whole

resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))  # a disk with room for 10 kB
array = np.random.default_rng(0).random((1000, 50))
table = pl.DataFrame(array)
file = Path(sys.argv[1]) / "file"
for write in (
    lambda: write_whole(file, "x" * 20_000),
    lambda: write_whole(file, lambda path: table.write_parquet(path)),
    lambda: write_array(file, array),
    lambda: write_archive(file, {"a": array}),
    lambda: write_rows(file, np.float64, array.shape, iter([array])),
):
    try:
        write()
    except UserError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process's files are a Unix call")
def test_full_disk_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert len(lines) == 5
    assert all("file: cannot be written (" in line and "free some space" in line for line in lines)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("content", [b"", b"- 1", b"a: [", b"\xff: 1", b"a: 1\n b: 2", b"[" * 20_000])
def test_invalid_yaml_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.yaml") as caught:
        read_mapping(tmp_path / "x.yaml", "options")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such file"):
        read_mapping(tmp_path / "y.yaml", "options")
