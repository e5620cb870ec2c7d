"""Every run config of the toy shop, present and future, as a user types it."""

import json
from pathlib import Path

import pytest
import yaml

from mmrec.cli.main import lightning
from mmrec.data.datamodule import RecDataModule
from mmrec.utils.shipped import configs_folder

FORMS = ("mm_racl_kal_id", "mm_racl_kal_time", "sasrec_time", "sasrec_wide")
"""What was searched for on MovieLens runs there alone."""
FEATURES_OF_FORMS = {("movielens", name): "movielens_attributes" for name in FORMS[:2]}
TOY_RUNS = sorted(path.stem for path in (configs_folder() / "run").glob("toy_*.yaml"))


def test_every_model_has_a_run_on_the_toy_shop_and_on_all_datasets_or_none() -> None:
    folder = configs_folder()
    runs = {path.stem: yaml.safe_load(path.read_text()) for path in (folder / "run").glob("*.yaml")}
    used: dict[str, set[str]] = {"data": set(), "model": set()}
    known: dict[str, set[str]] = {}
    for stem, run in runs.items():
        files = {part: run[part].removeprefix(f"../{part}/").removesuffix(".yaml") for part in used}
        dataset = stem.removesuffix(f"_{run['name']}")
        assert stem == f"{dataset}_{run['name']}"
        assert files["data"] in (dataset, FEATURES_OF_FORMS.get((dataset, run["name"]))), stem
        assert files["model"] in (run["name"], f"{run['name']}_sparse" if "sparse" in dataset else None), stem
        known.setdefault(run["name"], set()).add(dataset)
        for part, file in files.items():
            used[part].add(file)
    assert used == {part: {path.stem for path in (folder / part).glob("*.yaml")} for part in used}
    everywhere = known["popularity"]
    for name, found in known.items():
        main = found - {"movielens_sparse"}
        assert main == {"toy", "movielens"} if name in FORMS else main in ({"toy"}, everywhere), name


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
