from pathlib import Path

import pytest

from mmrec.data.datamodule import RecDataModule
from mmrec.reproduce.spec import Profile, Row, Spec


def row(name: str, model: str = "sasrec", ablation: str | None = None, **options: str) -> Row:
    given = tuple((key.replace("__", "."), value) for key, value in options.items())
    return Row(name, name.upper(), model, ablation, given, None)


def spec(name: str, rows: list[Row], profile: Profile) -> Spec:
    return Spec(name, name, "comparison", None, ("ndcg@10",), tuple(rows), None, {profile.name: profile})


@pytest.fixture
def on_toy(toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[str, str], ...]:
    """Options that put a run on the toy data of the session, from an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    path = ("data.source.init_args.path", toy.source.path)
    return (path, ("data.root", str(toy.root)), ("trainer.max_epochs", "3"), ("tracking.wandb", "false"))
