"""Every model on the toy shop, as a user types it."""

import json
from pathlib import Path

import pytest

from mmrec.cli.main import lightning
from mmrec.data.datamodule import RecDataModule
from mmrec.utils.shipped import configs_folder

MODELS = sorted(path.stem for path in (configs_folder() / "model").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_fit_and_a_second_test_give_the_same_metrics(
    model: str, tmp_path: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    args = ["--data", "toy", "--model", model, "--data.root", str(toy.root), "--explain", "false"]
    args += ["--data.source.init_args.path", toy.source.path, "--trainer.enable_progress_bar", "false"]
    lightning(["fit", *args, "--tracking.wandb", "false", "--trainer.max_epochs", "1"])
    (result,) = Path("runs/toy").glob("*/seed*/result.json")
    first = json.loads(result.read_text())
    lightning(["test", *args])
    again = json.loads(result.read_text())
    assert again["metrics"] == first["metrics"]
    assert first["training"]["epochs"] == int(first["parameters"] > 0)
