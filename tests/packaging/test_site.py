"""The documentation builds as a site without a dead link."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_site_is_built_and_whole() -> None:
    pytest.importorskip("zensical")
    built = subprocess.run(
        [sys.executable, "tools/build_site.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-1000:]
    assert "pages" in built.stdout.splitlines()[-1]
