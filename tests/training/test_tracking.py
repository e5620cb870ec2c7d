"""Lightning's loggers next to ours: what they record, and that the run's folder stays whole."""

import sys
from pathlib import Path

import pytest

from mmrec.cli.main import main
from mmrec.errors import UserError
from mmrec.training.tracking import Tracking, has_account, loggers

FOLDER = Path("runs/toy/sasrec/seed1")
Options = tuple[tuple[str, str], ...]


def fit(on_toy: Options, *args: str) -> None:
    options = [part for name, value in on_toy for part in (f"--{name}", value)]
    main(["fit", "--data", "toy", "--model", "sasrec", *options, "--explain", "false", *args])
    kept = {"README.md", "config.yaml", "metrics.csv", "checkpoints", "result.json", "test_ranks.parquet"}
    assert kept <= {path.name for path in FOLDER.iterdir()}


@pytest.mark.slow
def test_tensorboard_has_curves_and_test_metrics(on_toy: Options) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(on_toy, "--trainer.logger", "TensorBoardLogger", "--trainer.logger.save_dir", "boards")
    (folder,) = Path("boards").rglob("version_0")
    record = EventAccumulator(str(folder)).Reload()
    assert {"train/loss", "valid/ndcg@10", "test/ndcg@10"} <= set(record.Tags()["scalars"])
    assert len(record.Scalars("valid/ndcg@10")) == 3


@pytest.mark.slow
def test_mlflow_has_curves_options_and_test_metrics_in_a_local_store(on_toy: Options) -> None:
    import mlflow

    store = ["--trainer.logger.tracking_uri", "sqlite:///mlflow.db", "--trainer.logger.experiment_name", "shop"]
    fit(on_toy, "--trainer.logger", "MLFlowLogger", *store)
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    experiment = client.get_experiment_by_name("shop")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert {"valid/ndcg10", "test/ndcg10"} <= set(run.data.metrics)  # MLflow allows no @
    assert len(client.get_metric_history(run.info.run_id, "valid/ndcg10")) == 3
    assert run.data.params["dataset"] == "toy"
    assert run.data.params["model/class_path"].endswith("SASRec")


@pytest.mark.slow
def test_two_loggers_at_once_and_a_report_without_them(on_toy: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["--trainer.logger+", "CSVLogger", "--trainer.logger.save_dir", "mine"]
    both += ["--trainer.logger+", "TensorBoardLogger", "--trainer.logger.save_dir", "boards"]
    fit(on_toy, *both)
    assert list(Path("mine").rglob("metrics.csv"))
    assert list(Path("boards").rglob("events.out.tfevents.*"))
    for package in ("tensorboard", "mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, package, None)
    main(["report", "runs", "--out", "page.html"])
    assert "sasrec" in Path("page.html").read_text()


def test_a_user_without_home_or_name_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    def nobody(**options: object) -> None:
        raise KeyError("getpwuid(): uid not found: 54321")

    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert not has_account()
    monkeypatch.setattr("wandb.init", nobody)
    with pytest.raises(UserError, match=r"set HOME and USER, or pass --tracking\.wandb false"):
        loggers(Tracking(), tmp_path, "toy", "sasrec", 1, {})
