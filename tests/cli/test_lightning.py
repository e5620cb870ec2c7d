"""The commands as users type them, in process, on the toy shop."""

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from pytorch_lightning.loggers import Logger

from mmrec.cli.main import lightning, main
from mmrec.data.datamodule import RecDataModule
from mmrec.data.prepare.manifest import Manifest
from mmrec.errors import UserError
from mmrec.nn.kernels import precision
from mmrec.training import tracking
from tests.cli.quiet import QUIET

RUN = "lightning_configs/run"


def run(command: str, config: str, toy: RecDataModule, *args: str) -> None:
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    lightning([command, "--data", "toy", "--model", config.removeprefix("toy_"), *data, *QUIET, *args])


def result(model: str) -> dict[str, object]:
    return json.loads(Path(f"runs/toy/{model}/seed1/result.json").read_text())


def test_fit_tests_the_best_checkpoint_and_writes_everything(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_mm_racl_kal", toy, "--trainer.max_epochs", "2")
    folder = here / "runs/toy/mm_racl_kal/seed1"
    written = result("mm_racl_kal")
    assert set(written["metrics"]) == {"hr@10", "ndcg@10", "hr@20", "ndcg@20", "mrr"}
    assert written["data_hash"] == toy.catalog.manifest.data_hash
    assert written["protocol"] == {
        "split": "leave_one_out", "candidates": "all", "mask_history": True, "instances": 800
    }  # fmt: skip
    assert written["training"]["epochs"] == 2
    ranks = pl.read_parquet(folder / "test_ranks.parquet")
    assert ranks.height == 800
    assert (ranks["rank"] <= 10).mean() == pytest.approx(written["metrics"]["hr@10"], abs=1e-6)
    curves = pl.read_csv(folder / "metrics.csv").columns
    terms = ("alpha", "gate", "loss_rec", "loss_ui", "loss_ii", "loss_mm", "neighbour_churn")
    assert {f"train/{name}" for name in terms} <= set(curves)
    rows = [json.loads(line) for line in (folder / "explanations.jsonl").read_text().splitlines()]
    assert len(rows) == 10
    assert all(row["text"] and row["source"] == "facts" and row["reason"] for row in rows)
    assert yaml.safe_load((folder / "config.yaml").read_text())["model"]["class_path"].endswith("MMRaclKal")
    assert f"| ndcg@10 | {written['metrics']['ndcg@10']:.4f} | 0." in (folder / "README.md").read_text()


def test_validate_test_and_predict_find_the_runs_best_checkpoint(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_mm_racl_kal", toy, "--trainer.max_epochs", "1")
    first = result("mm_racl_kal")
    curves = Path("runs/toy/mm_racl_kal/seed1/metrics.csv").read_text()
    run("test", "toy_mm_racl_kal", toy)
    assert result("mm_racl_kal")["metrics"] == first["metrics"]
    assert result("mm_racl_kal")["training"] == first["training"]
    run("validate", "toy_mm_racl_kal", toy)
    run("predict", "toy_mm_racl_kal", toy)
    lists = pl.read_parquet("runs/toy/mm_racl_kal/seed1/recommendations.parquet")
    assert lists.group_by("user").len()["len"].to_list() == [10] * 800
    assert Path("runs/toy/mm_racl_kal/seed1/metrics.csv").read_text() == curves
    run("test", "toy_mm_racl_kal", toy, "--ckpt_path", "runs/toy/mm_racl_kal/seed1/checkpoints/best.ckpt")
    assert result("mm_racl_kal")["metrics"] == first["metrics"]


@pytest.mark.parametrize(
    "limit",
    [(), ("--trainer.max_steps", "1000"), ("--trainer.check_val_every_n_epoch", "2")],
    ids=["epochs", "steps", "validation every other epoch"],
)
def test_resuming_gives_what_an_uninterrupted_run_gives(limit: tuple[str, ...], here: Path, toy: RecDataModule) -> None:
    model = "sasrec" if limit else "mm_racl_kal"  # how epochs are counted does not depend on the model
    run("fit", f"toy_{model}", toy, "--trainer.max_epochs", "4", *limit)
    whole = result(model)
    started = perf_counter()
    run("fit", f"toy_{model}", toy, "--trainer.max_epochs", "2", "--name", "parts", *limit)
    resume = ["--ckpt_path", "last", *limit]
    run("fit", f"toy_{model}", toy, "--trainer.max_epochs", "4", "--name", "parts", *resume)
    parts = result("parts")
    assert parts["metrics"] == whole["metrics"]
    assert parts["training"]["epochs"] == 4
    assert parts["training"]["seconds"] < perf_counter() - started  # of the epochs, and of each once
    assert Path("runs/toy/parts/seed1/metrics.1.csv").is_file()  # the curves of the first part are kept


def test_fitting_again_keeps_the_earlier_run_and_repeats_it(here: Path, toy: RecDataModule) -> None:
    for _ in range(2):
        run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1")
    earlier = json.loads(Path("runs/toy/sasrec/seed1.1/result.json").read_text())
    assert earlier["metrics"] == result("sasrec")["metrics"]


@pytest.mark.parametrize("model", ["sasrec", "popularity"])
@pytest.mark.parametrize(
    "mistake", [("--data.prepare.user_core", "60"), ("--data.prepare.newest", "2")], ids=["data", "split"]
)
def test_a_fit_that_cannot_start_leaves_the_earlier_run_in_its_place(
    mistake: tuple[str, str], model: str, here: Path, toy: RecDataModule
) -> None:
    run("fit", f"toy_{model}", toy, "--trainer.max_epochs", "1")
    before = sorted(here.glob("runs/**/*"))
    mistakes = [mistake] if model == "popularity" else [mistake, (*mistake, "--ckpt_path", "last")]
    for options in mistakes:
        with pytest.raises(SystemExit):
            run("fit", f"toy_{model}", toy, *options)
        assert sorted(here.glob("runs/**/*")) == before


def test_explanations_are_the_same_after_fit_and_after_test(here: Path, toy: RecDataModule) -> None:
    def evidence() -> list[dict[str, object]]:
        lines = Path("runs/toy/mm_racl_kal/seed1/explanations.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]

    run("fit", "toy_mm_racl_kal", toy, "--trainer.max_epochs", "3", "--trainer.limit_val_batches", "1")
    after_fit = evidence()
    run("test", "toy_mm_racl_kal", toy)
    assert evidence() == after_fit


def test_a_dry_run_touches_nothing(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1")
    before = result("sasrec")
    run("fit", "toy_sasrec", toy, "--trainer.fast_dev_run", "true")
    assert result("sasrec") == before
    assert not Path("runs/toy/sasrec/seed1.1").exists()


def test_the_loss_has_the_precision_of_its_option(
    here: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(precision, "reduced_precision", lambda reduced: asked.append(reduced) or nullcontext())
    for option, reduced in (([], True), (["--loss_precision", "full"], False)):
        run("fit", "toy_sasrec", toy, "--trainer.fast_dev_run", "true", *option)
        assert asked == [reduced]  # one step
        asked.clear()


def test_another_protocol_does_not_overwrite_the_result(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1")
    before = result("sasrec")
    run("test", "toy_sasrec", toy, "--data.candidates", "uniform100")
    run("test", "toy_sasrec", toy, "--data.mask_history", "false")
    assert result("sasrec") == before
    names = {path.name for path in Path("runs/toy/sasrec/seed1").glob("result*.json")}
    assert names == {"result.json", "result_uniform100.json", "result_history_kept.json"}
    assert Path("runs/toy/sasrec/seed1/README.md").read_text().count("## Metrics") == 3


def test_results_do_not_outlive_the_checkpoint_they_describe(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1")
    more = ["--ckpt_path", "last", "--trainer.max_epochs", "2", "--test_after_fit", "false"]
    run("fit", "toy_sasrec", toy, *more)
    folder = Path("runs/toy/sasrec/seed1")
    assert not [*folder.glob("result*"), *folder.glob("test_ranks*"), *folder.glob("README.md")]
    run("test", "toy_sasrec", toy)
    assert result("sasrec")["training"]["epochs"] == 2


@pytest.mark.parametrize(
    ("model", "command", "options"),
    [
        ("sasrec", "test", ["--data.input_ablation", "order_shuffled"]),
        ("sasrec", "test", ["--model.init_args.dropout", "0.4"]),
        ("sasrec", "predict", ["--data.max_length", "5"]),
        ("itemknn", "predict", ["--model.init_args.neighbours", "3"]),
    ],
)
def test_other_options_do_not_overwrite_what_a_run_has_left(
    model: str, command: str, options: list[str], here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", f"toy_{model}", toy, "--trainer.max_epochs", "1")
    before = result(model)
    with pytest.raises(SystemExit):
        run(command, f"toy_{model}", toy, *options)
    assert f"{options[0].removeprefix('--')}: runs/toy/{model}/seed1 was fitted with another" in capsys.readouterr().err
    assert result(model) == before


def test_a_test_by_other_options_is_another_run_of_a_model_without_training(here: Path, toy: RecDataModule) -> None:
    run("test", "toy_popularity", toy)
    first = result("popularity")
    run("test", "toy_popularity", toy, "--data.candidates", "uniform100")  # a second result of the same run
    run("test", "toy_popularity", toy, "--data.prepare.split", "ratio")
    assert json.loads(Path("runs/toy/popularity/seed1.1/result.json").read_text()) == first
    assert result("popularity")["metrics"] != first["metrics"]
    with pytest.raises(SystemExit):
        run("test", "toy_popularity", toy, "--data.prepare.user_core", "60")
    assert result("popularity")["protocol"]["split"] == "ratio"


def test_a_model_without_modalities_needs_no_features(here: Path, toy: RecDataModule) -> None:
    absent = [
        "--data.encoder.class_path",
        "mmrec.data.features.encoders.PrecomputedEncoder",
        "--data.encoder.init_args.items",
    ]
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1", *absent, "nowhere.csv")
    assert result("sasrec")["features"] is None


def test_a_source_of_the_users_own(here: Path, toy: RecDataModule) -> None:
    (here / "my_shop.py").write_text(
        "from mmrec.data.sources import Toy\n\nclass MyShop(Toy):\n    def __init__(self, path: str) -> None:\n"
        "        super().__init__(path, name='my_shop')\n    name = 'my_shop'\n"
    )
    source = ["--data.source.class_path", "my_shop.MyShop", "--data.source.init_args.path", toy.source.path]
    main(["fit", "--data", "toy", "--model", "popularity", *source, "--data.root", str(here / "data"), *QUIET])
    assert Path("runs/my_shop/popularity/seed1/result.json").is_file()


def test_popularity_needs_no_training(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_popularity", toy)
    assert result("popularity")["training"]["epochs"] == 0
    assert result("popularity")["metrics"]["ndcg@10"] < 0.03


def test_the_test_of_a_model_without_parameters_depends_on_its_own_data_alone(here: Path, toy: RecDataModule) -> None:
    new = ("--explain", "false", "--data.prepare.item_core", "30")
    run("test", "toy_content_knn", toy, "--explain", "false", "--name", "old")
    for name in ("old", "new"):
        run("test", "toy_content_knn", toy, *new, "--name", name)
    assert result("old")["data_hash"] == result("new")["data_hash"] != toy.catalog.manifest.data_hash
    assert result("old")["metrics"] == result("new")["metrics"]


def test_a_fit_without_a_step_has_no_result(here: Path, toy: RecDataModule, caplog: pytest.LogCaptureFixture) -> None:
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "0")
    assert "no step was made" in caplog.text
    assert not list(Path("runs").rglob("result*.json"))
    assert not list(Path("runs").rglob("README.md"))


def test_the_sampled_protocol_has_its_own_names(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1", "--data.candidates", "uniform100")
    written = json.loads(Path("runs/toy/sasrec/seed1/result_uniform100.json").read_text())
    assert set(written["metrics"]) == {f"{name}_uniform100" for name in ("hr@10", "ndcg@10", "hr@20", "ndcg@20", "mrr")}


def test_validate_checks_what_prepare_does_and_writes_nothing(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", f"{RUN}/toy_mm_racl_kal.yaml", "--data.source.init_args.path", toy.source.path]
    data_hash = toy.catalog.manifest.data_hash  # writes the shop on first use
    before = sorted(Path(toy.source.path).rglob("*"))
    main(["validate", *config])
    checked = capsys.readouterr().out
    assert list(here.iterdir()) == []
    assert sorted(Path(toy.source.path).rglob("*")) == before
    main(["prepare", *config])
    prepared = capsys.readouterr().out
    assert data_hash[:12] in checked
    table = checked.partition("checked, nothing written")[2]
    rows = [line for line in table.splitlines() if line.startswith("  ") and line.strip()]
    assert len(rows) > 25
    assert [line for line in rows if line not in prepared] == []
    with pytest.raises(SystemExit):
        main(["validate", *config, "--data.prepare.max_bad_share", "0"])
    assert "are bad, more than max_bad_share" in capsys.readouterr().err


def test_brackets_in_a_folder_mean_nothing(
    here: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = here / "my [v2] shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    source = ["--data.source.init_args.path", toy.source.path]
    lightning(["fit", "--data", "toy", "--model", "sasrec", *source, *QUIET, "--trainer.max_epochs", "1"])
    main(["compare", "runs/toy", "--groups", str(Path(toy.source.path) / "tastes.csv")])
    main(["prepare", "--config", f"{RUN}/toy_mm_racl_kal.yaml", *source])
    assert "(handcrafted)" in capsys.readouterr().out


def test_an_interruption_is_one_line(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "save", interrupt)
    with pytest.raises(SystemExit) as exit_:
        main(["prepare", "--data", "toy", "--model", "sasrec", "--data.source.init_args.path", toy.source.path])
    assert exit_.value.code == 130
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("mmrec: interrupted")
    assert list(here.rglob("*.parquet")) == [here / "data" / "toy" / "images.parquet"]


def test_compare_shows_models_groups_and_slices(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", "toy_popularity", toy)
    main(["compare", "runs/toy", "--slices", "--groups", str(Path(toy.source.path) / "tastes.csv")])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("popularity", "full ranking", "long_term", "cold"))
    Path("strangers.csv").write_text("user,group\nnobody,image\n")
    with pytest.raises(SystemExit):
        main(["compare", "runs/toy", "--groups", "strangers.csv"])
    assert "none of its users is in the runs" in capsys.readouterr().err


def test_wandb_records_offline_without_an_account(
    here: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1", "--tracking.wandb", "true")
    assert list(here.glob("runs/toy/sasrec/seed1/wandb/offline-run-*/*.wandb"))


def test_a_fit_that_is_refused_leaves_no_folder(
    here: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    run("fit", "toy_popularity", toy)
    with pytest.raises(SystemExit):
        run("fit", "toy_sasrec", toy, "--from", "runs/toy/popularity/seed1", "--tracking.wandb", "true")
    assert not Path("runs/toy/sasrec/seed1").exists()


def test_runs_that_differ_have_records_of_their_own(
    here: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def record(*args: Any) -> list[Logger]:
        made.append(tracking.run_id(args[-1]))
        raise UserError("enough")

    monkeypatch.setattr("mmrec.cli.lightning.loggers", record)
    longer, full = ["--trainer.max_epochs", "9"], ["--loss_precision", "full"]
    resumed = ["--trainer.num_sanity_val_steps", "-1", "--trainer.log_every_n_steps", "9"]
    for options in ([], longer, resumed, full, ["--name", "other"], ["--trainer.gradient_clip_val", "1"]):
        with pytest.raises(SystemExit):
            run("fit", "toy_sasrec", toy, *options)
    assert made[0] == made[1] == made[2]  # a longer fit goes on in the record of the shorter one
    assert len(set(made)) == 4


@pytest.mark.parametrize("model", ["sasrec", "racl_kal"])
def test_a_checkpoint_is_found_by_its_path(model: str, here: Path, toy: RecDataModule) -> None:
    """Of a class that takes less than the data offers, and of one that builds on another."""
    run("fit", f"toy_{model}", toy, "--trainer.max_epochs", "1")
    first = result(model)
    run("test", f"toy_{model}", toy, "--ckpt_path", f"runs/toy/{model}/seed1/checkpoints/best.ckpt")
    assert result(model)["metrics"] == first["metrics"]
    assert set(first["hyperparameters"]) == set(result(model)["hyperparameters"])
    assert "n_users" not in first["hyperparameters"]


def test_a_model_without_training_is_a_run_like_others(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_ease", toy)
    first = result("ease")
    assert first["training"]["seconds"] > 0
    run("fit", "toy_ease", toy, "--model.init_args.l2", "5")
    assert result("ease")["metrics"] != first["metrics"]
    assert json.loads(Path("runs/toy/ease/seed1.1/result.json").read_text()) == first
    config = yaml.safe_load(Path("runs/toy/ease/seed1/config.yaml").read_text())
    assert config["model"]["init_args"]["l2"] == 5


def test_shipped_configurations_are_listed_and_printed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config"])
    names = capsys.readouterr().out.split()
    assert "run/my_shop" in names
    for name in ("my_shop", "run/my_shop.yaml"):
        main(["config", name])
        assert "class_path: Tabular" in capsys.readouterr().out


def test_complete_configurations_have_the_model_that_is_shipped_under_its_name() -> None:
    shipped = Path(__file__).parents[2] / "lightning_configs"
    models = [yaml.safe_load(file.read_text()) for file in (shipped / "model").glob("*.yaml")]
    for file in (shipped / "run").glob("*.yaml"):
        assert yaml.safe_load(file.read_text())["model"] in models, file.name


def test_an_unknown_option_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["fit", "--data", "toy", "--model", "sasrec", "--data.max_lenght", "5"])
    assert exit_.value.code == 2
    meant = "--data.max_lenght 5 (did you mean --data.max_length?)"
    assert capsys.readouterr().err == f"mmrec: unrecognized arguments: {meant}; --help names all options\n"


def test_a_checkpoint_of_other_data_is_refused(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", "toy_sasrec", toy, "--trainer.max_epochs", "1")
    shutil.copy("runs/toy/sasrec/seed1/checkpoints/best.ckpt", "other.ckpt")
    with pytest.raises(SystemExit):
        run("test", "toy_sasrec", toy, "--ckpt_path", "other.ckpt", "--data.prepare.split", "ratio")
    assert "trained on other data" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("test", "toy_mm_racl_kal", toy, "--ckpt_path", "best", "--name", "sasrec")
    assert "model.class_path: runs/toy/sasrec/seed1 was fitted with another value" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("test", "toy_sasrec", toy, "--ckpt_path", "best", "--model.init_args.hidden_dim", "32")
    assert "model.init_args.hidden_dim: runs/toy/sasrec/seed1 was fitted with another value" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("test", "toy_popularity", toy, "--ckpt_path", "other.ckpt")
    assert "the checkpoint is of SASRec, the config of Popularity" in capsys.readouterr().err
    assert torch.load("other.ckpt", weights_only=True)["data_hash"] == toy.catalog.manifest.data_hash


@pytest.mark.slow
def test_two_processes_give_the_metrics_and_the_lists_of_one(here: Path, toy: RecDataModule) -> None:
    run("fit", "toy_mm_racl_kal", toy, "--trainer.max_epochs", "1")
    alone = result("mm_racl_kal")
    lists = Path("runs/toy/mm_racl_kal/seed1/recommendations.parquet")
    run("predict", "toy_mm_racl_kal", toy)
    expected = pl.read_parquet(lists).sort("user", "rank")
    lists.unlink()
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    devices = ["--trainer.accelerator", "cpu", "--trainer.devices", "2"]
    test = ["test", "--config", f"{RUN}/toy_mm_racl_kal.yaml", *data, *QUIET, *devices]
    subprocess.run([sys.executable, "-m", "mmrec", *test], check=True, timeout=300)
    assert result("mm_racl_kal")["metrics"] == alone["metrics"]
    assert result("mm_racl_kal")["slices"] == alone["slices"]
    assert result("mm_racl_kal")["beyond_accuracy"] == pytest.approx(alone["beyond_accuracy"], abs=1e-6)
    assert result("mm_racl_kal")["machine"]["processes"] == 2
    subprocess.run([sys.executable, "-m", "mmrec", "predict", *test[1:]], check=True, timeout=300)
    made = pl.read_parquet(lists).sort("user", "rank")
    assert made.drop("score").equals(expected.drop("score"))
    assert made["score"].to_numpy() == pytest.approx(expected["score"].to_numpy(), abs=1e-5)
