"""The waiting policy of threads is set before PyTorch is loaded, and only where the user has chosen none."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from mmrec.utils.threads import warn_if_busy

SHOW = """
import atexit, os, sys
import mmrec.cli.main as cli
assert "torch" not in sys.modules
cli.COMMANDS, cli._load = (*cli.COMMANDS, "show"), lambda name: sys.modules["__main__"]
show = lambda args: print(os.environ.get("OMP_WAIT_POLICY"), "torch" in sys.modules)
cli.main(["show"])
"""


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "5"}, "None")],
)
def test_waiting_threads_sleep_unless_the_user_chose_otherwise(chosen: dict[str, str], expected: str) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    done = subprocess.run([sys.executable, "-c", SHOW], env=clean | chosen, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected, "False"]


@pytest.mark.parametrize(("load", "lines"), [(0.5, 0), (3.0, 1)])
def test_a_busy_machine_gets_one_line(
    load: float, lines: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    with caplog.at_level(logging.WARNING):
        warn_if_busy()
    assert len(caplog.records) == lines
