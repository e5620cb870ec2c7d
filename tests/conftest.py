import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("MMREC_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked slow and realdata")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if ("slow" in item.keywords or "realdata" in item.keywords) and not config.getoption("--run-slow"):
            item.add_marker(pytest.mark.skip(reason="slow or on real data: run with --run-slow"))
        elif "realdata" in item.keywords and not REAL.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no real data at {REAL}: set MMREC_DATA"))


@pytest.fixture
def real_data() -> Path:
    return REAL
