import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from PIL import Image

from mmrec.download import Addresses, ImageLimits, Limits, load_addresses
from tests.download.site import Site

QUICK = {"connect_seconds": 2, "read_seconds": 0.3, "backoff_seconds": 0.01, "longest_wait": 3, "attempts": 3}


@contextmanager
def running() -> Iterator[Site]:
    server = Site()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running() as server:
        yield server


@pytest.fixture
def limits() -> Limits:
    return Limits(**QUICK)


@pytest.fixture
def image_limits() -> ImageLimits:
    return ImageLimits(**{**QUICK, "delay_seconds": 0, "total_seconds": 5})


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    start = time.monotonic()
    return lambda: time.monotonic() - start


@pytest.fixture
def addresses(tmp_path: Path) -> Callable[..., Addresses]:
    """Write an addresses file with one dataset `shop` of the given files."""

    def write(*files: dict[str, object], **more: object) -> Addresses:
        path = tmp_path / "addresses.yaml"
        path.write_text(yaml.safe_dump({"shop": {"files": list(files), **more}}))
        return load_addresses(path)

    return write


def zipped(**files: bytes) -> bytes:
    """Return a zip archive of files in one folder, as GroupLens makes them; `_csv` stands for `.csv`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("ml-1m")
        for name, content in files.items():
            archive.writestr(f"ml-1m/{name.replace('_', '.')}", content)
    return buffer.getvalue()


def image_bytes(kind: str = "JPEG", size: tuple[int, int] = (40, 60), colour: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (colour, 20, 20)).save(buffer, kind)
    return buffer.getvalue()
