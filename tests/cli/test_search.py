from pathlib import Path

import optuna
import pytest
import yaml

from mmrec.cli import run_identity
from mmrec.cli.main import main
from mmrec.cli.search import Sweep, describe, keep_description, mend_journal, read_sweep
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.reproduce.spec import Options

SWEEP = {
    "method": "bayes",
    "metric": {"name": "valid/ndcg@10", "goal": "maximize"},
    "parameters": {
        "model.init_args.lr": {"distribution": "log_uniform_values", "min": 0.0005, "max": 0.01},
        "model.init_args.layers": {"values": [1, 2]},
        "model.init_args.hidden_dim": {"value": 8},
        "tracking.tags": {"value": ["a", "b"]},
    },
}


def test_a_search_goes_on_where_it_was_and_writes_the_best_options(
    toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    run = ["fit", "--data", "toy", "--model", "sasrec", *data, "--trainer.max_epochs", "1", "--config", "own.yaml"]
    sweep = {**SWEEP, "command": ["mmrec", "lightning", *run, "${args}"]}
    own = {"max_length": 8}

    def write(sweep: dict = sweep, **changes: object) -> None:
        Path("sweep.yaml").write_text(yaml.safe_dump(sweep))
        Path("own.yaml").write_text(yaml.safe_dump({"data": {**own, **changes}}))
        run_identity._parsed.cache_clear()  # a process reads a file once

    write()
    main(["search", "sweep.yaml", "--trials", "1"])
    journal = Path("runs/search/sweep.journal")
    whole = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(whole.splitlines()[-1][:20])  # a process that was killed while it wrote
    main(["search", "sweep.yaml", "--trials", "2"])
    assert journal.read_bytes().startswith(whole)
    shown = capsys.readouterr().out
    assert shown.count("trial 0:") == shown.count("trial 1:") == 1
    values = {line.split()[1][:-1]: float(line.split()[2]) for line in shown.splitlines() if line.startswith("trial")}
    best = max(values, key=values.__getitem__)
    chosen = yaml.safe_load(Path("runs/search/sweep.yaml").read_text())["model"]["init_args"]
    tried = yaml.safe_load(Path("runs/search/toy", f"sweep_{best}", "seed1/config.yaml").read_text())
    assert chosen == {name: tried["model"]["init_args"][name] for name in ("lr", "layers", "hidden_dim")}
    assert chosen["hidden_dim"] == 8
    assert tried["tracking"]["tags"] == ["a", "b"]

    def refused() -> str:
        with pytest.raises(SystemExit):
            main(["search", "sweep.yaml", "--trials", "3"])
        return capsys.readouterr().err

    for change, message in (
        ({"parameters": {}}, "sweep.journal holds trials of other parameters: remove it"),
        ({"metric": {"name": "valid/hr@20", "goal": "minimize"}}, "other metric (valid/ndcg@10, now valid/hr@20)"),
    ):
        write({**sweep, **change})
        assert message in refused()
    for changed, message in (
        ({"max_length": 7}, "other configuration (a file that the command names has changed)"),
        ({"prepare": {"user_core": 6}}, "other data (toy/"),
    ):
        write(**changed)
        assert message in refused()
    assert not list(Path("runs").rglob("result.json"))  # the test split was not read


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"goal": "minimize"}, r"s\.journal holds trials of other goal \(maximize, now minimize\): remove it"),
        ({"goal": "maximize", "metric": "valid/mrr"}, r"other metric \(not recorded, now valid/mrr\)"),  # an old study
    ],
)
def test_trials_that_cannot_be_compared_are_not_continued(description: dict, message: str) -> None:
    study = optuna.create_study()
    keep_description(study, {"goal": "maximize"}, Path("s.journal"))
    study.tell(study.ask(), 0.5)
    keep_description(study, {"goal": "maximize"}, Path("s.journal"))
    with pytest.raises(UserError, match=message):
        keep_description(study, description, Path("s.journal"))


def test_a_study_is_described_whatever_its_command_leaves_to_the_parameters(on_toy: Options) -> None:
    args = ["fit", "--data", "toy", *(word for key, value in on_toy for word in (f"--{key}", value))]
    ranges = {"model": {"values": ["sasrec", "gru4rec"]}, "model.init_args.lr": {"min": 0.001, "max": 0.1}}
    described = describe(Sweep("s", [*args, "--data.candidates", "unseen"], "valid/mrr_unseen", True, ranges))
    assert described["protocol"] == "candidates unseen, mask_history True"
    assert described["data"].startswith("toy/")
    # The parser of identities does not know this option of `fit`.
    assert describe(Sweep("s", [*args, "--optimizer", "SGD"], "valid/mrr", True, ranges))["configuration"] is None


def test_a_damaged_record_of_a_search_is_named(tmp_path: Path) -> None:
    journal = tmp_path / "sweep.journal"
    journal.write_text('{"op_code": 0}\n{"op_co\n{"op_code": 1}\n')
    with pytest.raises(UserError, match=r"sweep\.journal:2: not a record of a search"):
        mend_journal(journal)


def test_a_trial_that_diverges_is_no_end_of_the_search(
    toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    run = ["fit", "--data", "toy", "--model", "sasrec", *data, "--trainer.max_epochs", "1"]
    hot = {"model.init_args.lr": {"value": 1.0e30}, "model.init_args.hidden_dim": {"value": 8}}
    Path("sweep.yaml").write_text(yaml.safe_dump({**SWEEP, "command": ["lightning", *run], "parameters": hot}))
    with pytest.raises(SystemExit):
        main(["search", "sweep.yaml", "--trials", "2"])
    shown = capsys.readouterr()
    assert "trial 1: stopped early" in shown.out
    assert "no trial has finished" in shown.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": None}, "has the keys command, metric and parameters"),
        ({"command": ["mmrec", "lightning", "test"]}, "command must run `fit`"),
        ({"metric": {"name": "test/ndcg@10"}}, r"must be of the validation split .* but is test/ndcg@10"),
        ({"metric": "valid/ndcg@10"}, "metric must be a mapping, but is 'valid/ndcg@10'"),
        ({"parameters": {"a.b": 0.5}}, r"parameters\.a\.b needs values, value, or min and max"),
        ({"parameters": {"a.b": {"min": 1}}}, r"parameters\.a\.b needs values, value, or min and max"),
        ({"parameters": {"a.b": {"min": 1, "max": 2, "distribution": "beta"}}}, r"with a distribution of uniform"),
        ({"parameters": {"a": {"min": 0.1, "max": 2, "distribution": "q_uniform"}}}, r"is q_uniform and needs q"),
        (
            {"command": "lightning fit"},
            r"sweep\.yaml: command must run `fit`, as a list of words, but is 'lightning fit'",
        ),
        ({"metric": {**SWEEP["metric"], "goal": "minimise"}}, r"metric\.goal must be maximize or minimize, but is min"),
        ({"parameters": {"a": {"min": "low", "max": 2}}}, r"parameters\.a\.min must be a number, but is 'low'"),
        ({"parameters": {"a": {"min": 2, "max": 1}}}, r"parameters\.a\.min must be at most max, 1, but is 2"),
        ({"parameters": {"a": {"min": 0, "max": 1, "distribution": "log_uniform_values"}}}, r"a\.min must be above 0"),
        (
            {"parameters": {"a": {"min": 0.1, "max": 2, "distribution": "int_uniform"}}},
            r"a\.min must be a whole number",
        ),
        ({"parameters": {"a": {"min": 0, "max": 1, "distribution": "q_uniform", "q": 0}}}, r"a\.q must be above 0"),
        ({"parameters": {"a": {"values": 0.1}}}, r"a\.values must be a list of at least one value, but is 0\.1"),
        ({"parameters": {"a": {"values": []}}}, r"a\.values must be a list of at least one value, but is \[\]"),
        ({"parameters": {"a": {"values": [1], "distribution": "uniform"}}}, r"a\.distribution must be categorical"),
    ],
)
def test_a_sweep_that_cannot_be_run_is_said_so(change: dict, message: str, tmp_path: Path) -> None:
    content = {**SWEEP, "command": ["lightning", "fit"], **change}
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    with pytest.raises(UserError, match=message):
        read_sweep(file)


def test_a_sweep_is_read_as_wandb_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "command: [lightning, fit]\nmetric: {name: valid/loss, goal: minimize}\nparameters:\n"
        "  lr: {distribution: log_uniform_values, min: 1e-4, max: 0.01}\n"
        "  layers: {distribution: categorical, values: [1, 2]}\n  heads: {distribution: constant, value: 2}\n"
    )
    sweep = read_sweep(file)
    assert not sweep.maximize
    assert sweep.parameters["lr"] == {"distribution": "log_uniform_values", "min": 0.0001, "max": 0.01}
    assert sweep.parameters["layers"]["values"] == [1, 2]

    file.write_text(file.read_text().replace("command: [lightning, fit]", "command:"))
    with pytest.raises(UserError, match=r"sweep\.yaml: command must run `fit`"):
        read_sweep(file)
