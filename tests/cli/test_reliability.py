"""A run's folder survives a second writer, interruptions and options that touch only part of it."""

import json
import os
import signal
import sys
from pathlib import Path

import polars as pl
import pytest
import pytorch_lightning as lightning
import torch
import yaml

from mmrec.cli.main import main
from mmrec.cli.run_options import read_ids
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.training.checkpoints import WholeCheckpointIO
from mmrec.training.run_folder import only_writer

FOLDER = Path("runs/toy/sasrec/seed1")
QUIET = ["--tracking.wandb", "false", "--trainer.enable_progress_bar", "false", "--explain", "false"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    return tmp_path


def run(command: str, toy: RecDataModule, *args: str, model: str = "sasrec") -> None:
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    main([command, "--data", "toy", "--model", model, *data, *QUIET, *args])


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that the command line has printed for a mistake or a signal."""
    (last,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("mmrec: "))
    return last


class Interrupt(lightning.Callback):
    """Sends a signal to this process after an epoch."""

    def __init__(self, signum: int) -> None:
        self.signum = signum

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), self.signum)


def interrupting(signum: int) -> list[str]:
    callbacks = [
        {"class_path": "BestCheckpoint"},
        {"class_path": "LastCheckpoint"},
        {"class_path": "tests.cli.test_reliability.Interrupt", "init_args": {"signum": signum}},
    ]
    return ["--trainer.callbacks", json.dumps(callbacks), "--trainer.max_epochs", "4"]


def test_a_second_writer_of_a_folder_is_refused(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_writer(FOLDER), pytest.raises(SystemExit):
        run("fit", toy, "--trainer.max_epochs", "1")
    message = error(capsys)
    assert f"process {os.getpid()}, started 20" in message
    assert "--name" in message
    assert not FOLDER.exists()


def test_a_fit_that_has_stopped_early_is_tested_when_resumed(here: Path, toy: RecDataModule) -> None:
    stop = [
        "--trainer.callbacks",
        "[{class_path: StopEarly, init_args: {patience: 1}}, BestCheckpoint, LastCheckpoint, SaveResults]",
        "--trainer.max_epochs", "14", "--model.init_args.lr", "1e-9",
    ]  # fmt: skip
    run("fit", toy, *stop)
    whole = json.loads((FOLDER / "result.json").read_text())
    (FOLDER / "result.json").unlink()  # as if it had been killed in the test
    run("fit", toy, *stop, "--ckpt_path", "last")
    resumed = json.loads((FOLDER / "result.json").read_text())
    assert resumed["training"]["epochs"] == whole["training"]["epochs"] < 14
    assert resumed["metrics"] == whole["metrics"]


def test_a_saved_config_describes_the_run_alone(here: Path, toy: RecDataModule) -> None:
    run("fit", toy, "--trainer.max_epochs", "1")
    run("fit", toy, "--trainer.max_epochs", "2", "--ckpt_path", "last", "--data.candidates", "uniform100")
    saved = str(FOLDER / "config.yaml")
    assert "ckpt_path" not in yaml.safe_load(Path(saved).read_text())
    main(["prepare", "--config", saved])
    main(["fit", "--config", saved, "--runs", "again", "--trainer.max_epochs", "1"])
    again = json.loads(Path("again/toy/sasrec/seed1/result_uniform100.json").read_text())
    assert again["training"]["epochs"] == 1
    assert "ndcg@10_uniform100" in again["metrics"]


def test_a_fit_resumes_its_own_folder_alone(here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        run("fit", toy, "--trainer.max_epochs", "1")
    with pytest.raises(SystemExit):
        run("fit", toy, "--ckpt_path", "runs/toy/sasrec/seed1.1/checkpoints/last.ckpt")
    assert "and pass --ckpt_path last" in error(capsys)


def test_a_moved_run_resumes_with_its_own_best_checkpoint(here: Path, toy: RecDataModule) -> None:
    run("fit", toy, "--trainer.max_epochs", "1")
    FOLDER.parent.rename("runs/toy/moved")
    run("fit", toy, "--trainer.max_epochs", "2", "--name", "moved", "--ckpt_path", "last")
    assert Path("runs/toy/moved/seed1/result.json").is_file()
    assert not FOLDER.exists()


def test_a_test_cut_short_leaves_the_whole_result(here: Path, toy: RecDataModule) -> None:
    run("test", toy, model="popularity")
    result = Path("runs/toy/popularity/seed1/result.json")
    before = result.read_text()
    run("test", toy, "--trainer.limit_test_batches", "1", model="popularity")
    assert result.read_text() == before


@pytest.mark.parametrize("logger", [[], ["--trainer.logger", "false"]], ids=["logger", "no logger"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_late_stop_keeps_the_new_run_and_says_so(
    signum: int, logger: list[str], here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", toy, "--trainer.max_epochs", "1")
    with pytest.raises(SystemExit) as end:
        run("fit", toy, *interrupting(signum), *logger)
    assert end.value.code == 128 + signum
    assert "the same command starts or goes on" in error(capsys)
    last = torch.load(FOLDER / "checkpoints/last.ckpt", weights_only=True)
    assert last["epoch"] == 0
    assert Path("runs/toy/sasrec/seed1.1/result.json").is_file()


def test_an_earlier_run_comes_back_after_a_kill(here: Path, toy: RecDataModule) -> None:
    run("fit", toy, "--trainer.max_epochs", "1")
    before = (FOLDER / "result.json").read_text()
    FOLDER.rename(FOLDER.with_name("seed1.1"))  # what SIGKILL leaves before the first epoch: an aside and its note
    FOLDER.mkdir()
    note = {"kept": str(FOLDER), "aside": str(FOLDER.with_name("seed1.1"))}
    FOLDER.with_name(".seed1.aside.json").write_text(json.dumps(note))
    with pytest.raises(SystemExit):
        run("fit", toy, "--data.prepare.user_core", "60")
    assert (FOLDER / "result.json").read_text() == before
    assert not FOLDER.with_name("seed1.1").exists()


def test_a_checkpoint_is_whole_or_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"epoch": 1}, file)

    def full(content: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"last\.ckpt: cannot be written \(No space left"):
        WholeCheckpointIO().save_checkpoint({"epoch": 2}, file)
    assert torch.load(file, weights_only=True) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_logger_of_the_users_is_added_to_ours(here: Path, toy: RecDataModule) -> None:
    run("fit", toy, "--trainer.max_epochs", "1", "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "mine")
    assert {"config.yaml", "metrics.csv", "checkpoints", "result.json"} <= {path.name for path in FOLDER.iterdir()}
    assert list(Path("mine").rglob("metrics.csv"))


def test_predict_takes_users_and_a_length(here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]) -> None:
    some = toy.catalog.user_ids[5:8]
    Path("users.txt").write_text("\n".join(some) + "\n")
    run("predict", toy, "--users", "users.txt", "--top_k", "3", model="popularity")
    lists = pl.read_parquet("runs/toy/popularity/seed1/recommendations.parquet")
    assert lists.group_by("user", maintain_order=True).len().rows() == [(user, 3) for user in some]
    Path("users.txt").write_text("nobody\u200b\n\n cafe\u0301\n")  # as the sources would spell them
    assert read_ids(Path("users.txt"), "--users") == ["nobody", "caf\u00e9"]
    Path("users.txt").write_text("nobody\n")
    with pytest.raises(SystemExit):
        run("predict", toy, "--users", "users.txt", model="popularity")
    assert "1 of 1 users are not in" in error(capsys)


def test_a_file_of_the_working_folder_hides_no_package(here: Path, toy: RecDataModule) -> None:
    Path("polars.py").write_text("raise SystemExit('executed')")
    run("test", toy, model="popularity")
    assert sys.path.index("") > 0


WRONG = {
    "unknown section": ("trainr: {}\n", "trainr is not a key of a run configuration"),
    "old option": ("softmax_products: exact\n", "softmax_products is now loss_precision"),
    "old class": (
        "trainer: {callbacks: [{class_path: mmrec.callbacks.refresh_index.RefreshIndex}]}\n",
        "the class mmrec.callbacks.refresh_index.RefreshIndex is now RefreshIndex",
    ),
    "old option of a source": (
        "data: {source: {class_path: Tabular, init_args: {title: name}}}\n",
        "data.source.init_args.title is now data.source.init_args.items.title",
    ),
    "old form of a source": (
        "data: {source: {class_path: mmrec.data.sources.Tabular, init_args: {items: products.csv}}}\n",
        "items: FILE is now items: {files: FILE}",
    ),
    "data section": ("source: {class_path: Toy}\n", "holds a data section alone, so give it by --data wrong.yaml"),
    "key twice": (
        "seed_everything: 1\nname: a\nname: b\n",
        "wrong.yaml:3: not valid YAML in UTF-8 (the key name stands twice)",
    ),
    "truth value": (
        "data: {source: {class_path: Tabular, init_args: {interactions: x.csv, user: no, item: i, time: t}}}\n",
        'the configuration: user is a truth value, as YAML reads no, yes, off and on; write user: "no"',
    ),
    "bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{n}: &{n} [{', '.join([f'*{before}'] * 10)}]\n" for before, n in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "wrong.yaml: holds more than",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_config_is_one_line(case: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = WRONG[case]
    Path("wrong.yaml").write_text(content)
    with pytest.raises(SystemExit) as end:
        main(["fit", "--data", "toy", "--model", "popularity", "--config", "wrong.yaml"])
    assert end.value.code == 2
    assert message in error(capsys)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--seed_everything", "false"], "--seed_everything must be a whole number"),
        (["--seed_everything", "9" * 5000], "seed_everything"),
        (["--seed_everything", "9" * 50], "--seed_everything must be a whole number"),
        (["--softmax_products", "exact"], "--softmax_products is now --loss_precision"),
        (["--model", "mm_racl_kal_time"], "is now --model sasrec_text_image_time"),
        (["--config", "lightning_configs/run/toy_gru4rec.yaml"], "is now --data toy --model gru4rec"),
        (["--data", "nowhere"], "not a shipped data configuration"),
        (
            ["--model.init_args.dropuot", "0.1"],
            "'dropuot' is not accepted (did you mean dropout?); lightning fit --model.help SASRec",
        ),
        (
            ["--trainer.max_epoch", "2"],
            "unrecognized arguments: --trainer.max_epoch 2 (did you mean --trainer.max_epochs?)",
        ),
        (["--model", "sasrecc"], "nor a YAML file (did you mean sasrec?)"),
        (["--model.init_args.hidden_dim", "0"], "model.init_args.hidden_dim must be at least 1, but is 0"),
        (["--data.batch_size", "0"], "data.batch_size must be a whole number from 1 to"),
        (["--trainer.strategy", "fsdp", "--trainer.accelerator", "cpu"], "fsdp"),
    ],
)
def test_a_wrong_option_is_one_line(
    args: list[str], message: str, here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        run("fit", toy, *args)
    assert end.value.code == 2
    assert message in error(capsys)


def test_a_section_file_replaces_the_section_whole(here: Path, toy: RecDataModule) -> None:
    root = {"root": str(toy.root), "source": {"class_path": "Toy", "init_args": {"path": toy.source.path}}}
    Path("mine.yaml").write_text(
        yaml.safe_dump({**root, "prepare": {"require_image": False, "split": "leave_one_out"}})
    )
    main([
        "fit", "--config", "lightning_configs/run/toy_mm_racl_kal.yaml", "--data", "mine.yaml", "--model", "popularity",
        *QUIET,
    ])  # fmt: skip
    config = yaml.safe_load(Path("runs/toy/popularity/seed1/config.yaml").read_text())
    assert config["data"]["encoder"] is None  # of the run file
    assert config["data"]["max_length"] == 50
    assert config["name"] == "popularity"


def test_optimizer_and_schedule_are_options(here: Path, toy: RecDataModule) -> None:
    run("fit", toy, "--trainer.max_epochs", "1", "--optimizer", "SGD", "--optimizer.lr", "0.0", "--lr_scheduler",
        "ExponentialLR", "--lr_scheduler.gamma", "0.5")  # fmt: skip
    last = torch.load(FOLDER / "checkpoints/last.ckpt", weights_only=True)
    assert last["optimizer_states"][0]["param_groups"][0]["lr"] == 0.0
    assert last["lr_schedulers"]


@pytest.mark.parametrize("model", ["sasrec", pytest.param("vbpr", marks=pytest.mark.slow)])
def test_the_tested_weights_are_those_that_were_validated(model: str, here: Path, toy: RecDataModule) -> None:
    average = "pytorch_lightning.callbacks.EMAWeightAveraging"
    options = ["--trainer.max_epochs", "2", f"--trainer.callbacks+={average}", "--trainer.callbacks.decay", "0.9"]
    run("fit", toy, *options, model=model)
    folder = FOLDER.parent.parent / model / "seed1"
    file = folder / "result.json"
    after_fit = json.loads(file.read_text())["metrics"]
    state = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)
    name = next(iter(state["state_dict"]))
    assert not torch.equal(state["state_dict"][name], state["current_model_state"][name])
    file.unlink()
    run("test", toy, model=model)
    assert json.loads(file.read_text())["metrics"] == after_fit
    run("validate", toy, model=model)  # the state is the one that validation has chosen
    curves = pl.read_csv(folder / "metrics.csv")["valid/ndcg@10"].drop_nulls()
    assert (
        state["callbacks"][next(k for k in state["callbacks"] if "BestCheckpoint" in k)]["best_model_score"]
        == curves.max()
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trainer.barebones", "true"], "it leaves out a run's checkpoints and logs"),
        (
            [
                "--trainer.callbacks+=pytorch_lightning.callbacks.StochasticWeightAveraging",
                "--trainer.callbacks.swa_lrs",
                "1",
            ],
            "averages after the last validation",
        ),
        (["--trainer.strategy", "fsdp"], "requires a GPU"),
    ],
)
def test_what_makes_no_run_is_refused_in_one_line(
    options: list[str], words: str, here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("fit", toy, *options)
    assert words in error(capsys)


@pytest.mark.slow
def test_a_timer_without_a_duration_is_kept_in_the_config(here: Path, toy: RecDataModule) -> None:
    run("fit", toy, "--trainer.max_epochs", "1", "--trainer.callbacks+=pytorch_lightning.callbacks.Timer")
    assert "callbacks.Timer" in (FOLDER / "config.yaml").read_text()


def test_a_model_with_a_graph_is_not_averaged(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("fit", toy, "--trainer.callbacks+=pytorch_lightning.callbacks.EMAWeightAveraging", model="lightgcn")
    assert "the graph of LightGCN cannot be copied" in error(capsys)


def test_cutoffs_are_an_option_of_all_that_follows(
    here: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("fit", toy, "--data.cutoffs", "[5, 20]")
    assert "watches valid/ndcg@10: add 10" in error(capsys)
    run("test", toy, "--data.cutoffs", "[1, 5, 10]", model="popularity")
    result = json.loads(Path("runs/toy/popularity/seed1/result.json").read_text())
    names = ["hr@1", "ndcg@1", "hr@5", "ndcg@5", "hr@10", "ndcg@10", "mrr"]
    assert sorted(result["metrics"]) == sorted(names)
    assert set(names) <= set(result["slices"]["head"])
    ranks = pl.read_parquet("runs/toy/popularity/seed1/test_ranks.parquet")["rank"]
    assert result["metrics"]["hr@5"] == pytest.approx((ranks <= 5).mean(), abs=1e-6)
    main(["compare", "runs/toy"])
    assert "NDCG@5" in capsys.readouterr().out
