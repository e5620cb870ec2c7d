import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: as many processes as cores run already

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.prepare.pipeline import PrepareOptions
from mmrec.data.sources import Toy
from mmrec.nn.kernels.precision import set_loss_precision

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # oracles compare to the last bit, which a GPU does not repeat

REAL = Path(os.environ.get("MMREC_DATA", Path(__file__).parents[2] / "shared" / "data"))

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile(
    "fuzz",
    derandomize=False,
    deadline=None,
    max_examples=2000,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("same")  # the default suite draws the same inputs each time; --hypothesis-profile=fuzz searches


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked slow and realdata")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if ("slow" in item.keywords or "realdata" in item.keywords) and not config.getoption("--run-slow"):
            item.add_marker(pytest.mark.skip(reason="slow or on real data: run with --run-slow"))
        elif "realdata" in item.keywords and not REAL.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no real data at {REAL}: set MMREC_DATA"))


@pytest.fixture(autouse=True)
def full_precision() -> None:
    """Losses at full precision, as their oracles are; runs through the command line use its default."""
    set_loss_precision("full")


@pytest.fixture
def real_data() -> Path:
    return REAL


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the toy data is written and prepared once for the whole session."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def toy(workspace: Path) -> RecDataModule:
    return RecDataModule(
        Toy(str(workspace / "raw")),
        prepare=PrepareOptions(split="leave_one_out", require_text=False, require_image=False),
        encoder=HandcraftedEncoder(),
        root=str(workspace / "data"),
        max_length=8,
        batch_size=64,
    )


@pytest.fixture
def on_toy(toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[str, str], ...]:
    """Options that put a run on the toy data of the session, from an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    path = ("data.source.init_args.path", toy.source.path)
    return (path, ("data.root", str(toy.root)), ("trainer.max_epochs", "3"), ("tracking.wandb", "false"))
