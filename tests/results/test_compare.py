import io
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from mmrec.errors import UserError
from mmrec.results.compare import Extra, compare_runs

PROTOCOL = {"instances": 2, "split": "ratio", "candidates": "all", "mask_history": True}


def save(folder: Path, model: str, seed: int = 1, **changes: object) -> Path:
    """Write a result as `lightning test` does, and the ranks of two users."""
    run = folder / model / f"seed{seed}"
    run.mkdir(parents=True, exist_ok=True)
    result = {"dataset": "shop", "model": model, "seed": seed, "metrics": {"ndcg@10": 0.5}, "protocol": PROTOCOL}
    result |= {"data_hash": "0", "parameters": 1, "training": {"epochs": 1, "seconds": 1.0}, **changes}
    (run / "result.json").write_text(json.dumps(result))
    pl.DataFrame({"user": ["u", "v"], "item": ["a", "b"], "rank": [1.0, 20.0]}).write_parquet(
        run / "test_ranks.parquet"
    )
    return run


def shown(folder: Path, **options: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    compare_runs(folder, extra=Extra(**options), console=console)
    return console.file.getvalue()


def rows(text: str, model: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.split()[:1] == [model]]


def test_slices_and_metrics_are_shown_under_their_own_names(tmp_path: Path) -> None:
    slices = {
        name: {"instances": count, "ndcg@10": value} for name, count, value in (("cold", 1, 0.1), ("head", 2, 0.2))
    }
    save(tmp_path, "all", slices={**slices, "head": {"instances": 1500, "ndcg@10": 0.2}})
    save(tmp_path, "few", slices={"head": slices["head"]}, metrics={"mrr": 0.25})
    text = shown(tmp_path, slices=True)
    assert [row[2:4] for row in rows(text, "few")] == [["-", "0.2500"], ["-", "0.2000"]]
    assert [row[2:4] for row in rows(text, "all")] == [["0.5000", "-"], ["0.1000", "0.2000"]]
    assert "1   2 to 1,500" in text  # numbers of instances, which differ between the models


def test_names_are_not_read_as_markup_and_users_without_a_group_are_left_out(tmp_path: Path) -> None:
    save(tmp_path, "[red]m")
    (tmp_path / "groups.csv").write_text("id,label,user\nu,new,a\nu,old,b\nv,,c\n")
    text = shown(tmp_path, groups=tmp_path / "groups.csv")
    assert [row[2] for row in rows(text, "[red]m")][1] == "1.0000"
    assert "old" not in text
    (tmp_path / "groups.csv").write_text("user,group\n7,new\n")
    with pytest.raises(UserError, match=r"--groups .*none of its users is in the runs"):
        shown(tmp_path, groups=tmp_path / "groups.csv")


def test_a_copied_model_folder_is_a_model_of_its_own(tmp_path: Path) -> None:
    run = save(tmp_path, "base")
    shutil.copytree(run.parent, tmp_path / "copy")
    text = shown(tmp_path, against="base")
    assert rows(text, "copy")[1][:2] == ["copy", "1"]
    shutil.copytree(run, run.with_name("seed1 again"))
    with pytest.raises(UserError, match=r"seed1 and .*seed1 again are both of seed 1 and would count as two"):
        shown(tmp_path)


def test_runs_of_several_protocols_are_shown_in_tables_of_their_own(tmp_path: Path) -> None:
    protocol = {**PROTOCOL, "candidates": "uniform100"}
    slices = {"cold": {"instances": 1, "ndcg@10_uniform100": 0.125}}
    for model, value in (("better", 0.75), ("worse", 0.25)):
        run = save(tmp_path, model, metrics={"ndcg@10_uniform100": value}, slices=slices, protocol=protocol)
        for file in list(run.iterdir()):
            file.rename(run / f"{file.stem}_uniform100{file.suffix}")
    text = shown(tmp_path, slices=True, against="worse")
    assert text.index("worse") < text.index("better")
    assert [row[2] for row in rows(text, "better")] == ["0.7500", "0.1250", "0.5000"]
    save(tmp_path, "better")  # the same run, tested by full ranking too
    text = shown(tmp_path)
    titles = [line.strip() for line in text.splitlines() if line.strip().startswith("shop: ")]
    assert [("uniform100" in title, "full ranking" in title) for title in titles] == [(True, False), (False, True)]
    assert [row[2] for row in rows(text, "better")] == ["0.7500", "0.5000"]


def test_unfinished_runs_are_listed(tmp_path: Path) -> None:
    save(tmp_path, "sasrec")
    (tmp_path / "gru4rec" / "seed1").mkdir(parents=True)
    (tmp_path / "gru4rec" / "seed1.1").mkdir()  # set aside
    (tmp_path / "sweep_0" / "seed1").mkdir(parents=True)  # a trial of a search
    (tmp_path / "sweep_0" / "seed1" / "config.yaml").write_text("seed_everything: 1\ntest_after_fit: false\n")
    text = shown(tmp_path)
    assert rows(text, "sasrec")
    assert text.splitlines()[-1] == f"unfinished, not shown: {tmp_path / 'gru4rec' / 'seed1'}"
    with pytest.raises(UserError, match=r"holds no results: .*; unfinished runs: .*gru4rec/seed1$"):
        shown(tmp_path / "gru4rec")


def test_some_models_of_a_folder_are_compared(tmp_path: Path) -> None:
    for model in ("sasrec", "gru4rec", "popularity"):
        save(tmp_path, model)
    console = Console(record=True, width=200)
    compare_runs(tmp_path / "sasrec", tmp_path / "gru4rec", tmp_path / "sasrec" / "seed1", console=console)
    text = console.export_text()
    assert [len(rows(text, model)) for model in ("sasrec", "gru4rec", "popularity")] == [1, 1, 0]
    with pytest.raises(UserError, match="typoo holds no results"):
        compare_runs(tmp_path / "sasrec", tmp_path / "typoo", console=console)


def test_cost_is_per_epoch_and_up_to_the_best_epoch(tmp_path: Path) -> None:
    training = {"epochs": 4, "seconds": 10.0, "best_epoch": 1}
    save(tmp_path, "trained", training=training, peak_memory_mb={"host": 1500, "gpu": 20}, parameters=7)
    save(tmp_path, "closed", training={"epochs": 0, "seconds": 3.0, "best_epoch": None}, peak_memory_mb={"host": 9})
    text = shown(tmp_path, cost=True)
    assert rows(text, "trained")[1] == ["trained", "1", "7", "4", "2", "10.0", "2.5", "5", "1,500", "20"]
    assert rows(text, "closed")[1] == ["closed", "1", "1", "0", "-", "3.0", "-", "3", "9", "-"]


def test_a_table_without_any_values_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "older")
    with pytest.raises(UserError, match=r"has measures beyond accuracy: run `lightning test`"):
        shown(tmp_path, beyond=True)
    with pytest.raises(UserError, match=r"has slices: run `lightning test`"):
        shown(tmp_path, slices=True)
    with pytest.raises(UserError, match="--against sasrec: not a model of these folders, which have older"):
        shown(tmp_path, against="sasrec")
    save(tmp_path, "m", beyond_accuracy={"coverage@10": 0.5, "text_diversity@10": None})
    assert rows(shown(tmp_path, beyond=True), "m")[1] == ["m", "1", "0.5000", "-"]
    assert rows(shown(tmp_path, beyond=True), "older")[1] == ["older", "1", "-", "-"]


@pytest.mark.parametrize("content", [None, b"PAR1"])
def test_damaged_ranks_are_named(content: bytes | None, tmp_path: Path) -> None:
    ranks = save(tmp_path, "m") / "test_ranks.parquet"
    ranks.unlink() if content is None else ranks.write_bytes(content)
    (tmp_path / "groups.csv").write_text("user,group\nu,new\n")
    with pytest.raises(UserError, match=r"test_ranks\.parquet: cannot be read"):
        shown(tmp_path, groups=tmp_path / "groups.csv")
