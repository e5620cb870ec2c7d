"""Every run config of the toy shop, present and future, as a user types it."""

import json
from pathlib import Path

import pytest
import yaml

from mmrec.cli import lightning
from mmrec.configs import configs_folder
from mmrec.data.datamodule import RecDataModule

TOY_RUNS = sorted(path.stem for path in (configs_folder() / "run").glob("toy_*.yaml"))


def test_every_model_has_a_run_on_the_toy_shop_and_on_all_datasets_or_none() -> None:
    folder = configs_folder()
    datasets, models = ({path.stem for path in (folder / part).glob("*.yaml")} for part in ("data", "model"))
    runs = {path.stem: yaml.safe_load(path.read_text()) for path in (folder / "run").glob("*.yaml")}
    known: dict[str, set[str]] = {model: set() for model in models}
    for stem, run in runs.items():
        data = run["data"].removeprefix("../data/").removesuffix(".yaml")
        assert stem == f"{data}_{run['name']}"
        assert run["model"] == f"../model/{run['name']}.yaml"
        known[run["name"]].add(data)
    assert all(found in ({"toy"}, datasets) for found in known.values()), known


@pytest.mark.slow
@pytest.mark.parametrize("run", TOY_RUNS)
def test_fit_and_test_again_give_the_same(
    run: str, tmp_path: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    args = ["--config", f"lightning_configs/run/{run}.yaml", "--data.root", str(toy.root)]
    args += ["--data.source.init_args.path", toy.source.path, "--trainer.enable_progress_bar", "false"]
    lightning(["fit", *args, "--tracking.wandb", "false", "--trainer.max_epochs", "1"])
    result = Path("runs/toy", run.removeprefix("toy_"), "seed1", "result.json")
    first = json.loads(result.read_text())
    lightning(["test", *args])
    again = json.loads(result.read_text())
    assert again["metrics"] == first["metrics"]
    assert first["training"]["epochs"] == int(first["parameters"] > 0)
