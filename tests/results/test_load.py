"""The reader of results: committed files, damaged files, links and names."""

import json
from pathlib import Path

import polars as pl
import pytest

from mmrec.errors import UserError
from mmrec.results.aggregate import boards
from mmrec.results.curves import read_curves
from mmrec.results.labels import label
from mmrec.results.load import find_runs
from mmrec.utils.shipped import experiments_folder
from tests.results.test_compare import PROTOCOL, save


@pytest.mark.parametrize("folder", ["results", "results/ml1m"])
def test_every_committed_result_is_read_and_compared(folder: str) -> None:
    place = experiments_folder() / folder
    found = find_runs(place)
    assert {run.file for run in found.runs} == set(place.glob("*.json"))
    made = boards(found.runs)
    assert sum(len(board.runs) for board in made) == len(found.runs)
    assert all(model.runs for board in made for model in board.models)


@pytest.mark.parametrize("content", [b"[]", b"{}", b"1", b"\xff", b"{", b"[" * 100_000, b'{"dataset": NaN}', b""])
def test_a_file_that_is_not_a_result_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    (save(tmp_path, "m") / "result.json").write_bytes(content)
    with pytest.raises(UserError, match=r"result\.json: .*run `lightning test` for it again") as raised:
        find_runs(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("seed", "one", "seed must be a whole number"),
        ("seed", True, "seed must be a whole number"),
        ("metrics", {"ndcg@10": "high"}, "metrics.ndcg@10 must be a finite number"),
        ("metrics", {"ndcg@10": float("inf")}, "metrics.ndcg@10 must be a finite number"),
        ("metrics", [0.5], "metrics must be a mapping"),
        ("protocol", {**PROTOCOL, "split": None}, "protocol.split must be a text"),
        ("training", {"epochs": 1}, "training.seconds must be a finite number"),
        ("slices", {"cold": 3}, "slices.cold must be a mapping"),
        ("beyond_accuracy", {"coverage@10": []}, "beyond_accuracy.coverage@10 must be a finite number"),
        ("git", {"commit": "a"}, "git.dirty must be true or false"),
        ("data_hash", 7, "data_hash must be a text"),
    ],
)
def test_a_wrong_type_in_a_result_is_named(key: str, value: object, words: str, tmp_path: Path) -> None:
    file = save(tmp_path, "m") / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(UserError, match=rf"result\.json: {words}"):
        find_runs(tmp_path)


def test_other_files_next_to_copied_results_are_ignored(tmp_path: Path) -> None:
    result = (save(tmp_path / "runs", "sasrec") / "result.json").read_text()
    (tmp_path / "shop_sasrec_form_seed1.json").write_text(result)
    (tmp_path / "notes.json").write_text("[")
    assert [run.name for run in find_runs(tmp_path).runs] == ["sasrec", "sasrec_form"]
    (tmp_path / "shop_torn_seed1.json").write_text(result[:40])
    with pytest.raises(UserError, match=r"shop_torn_seed1\.json: not valid JSON"):
        find_runs(tmp_path)


def test_linked_runs_are_found_and_count_once(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere", "gru4rec")
    save(tmp_path / "runs" / "shop", "sasrec")
    (tmp_path / "runs" / "shop" / "linked").symlink_to(tmp_path / "elsewhere" / "gru4rec")
    (tmp_path / "runs" / "a").mkdir()
    (tmp_path / "runs" / "a" / "again").symlink_to(tmp_path / "runs" / "shop" / "sasrec")
    (tmp_path / "runs" / "shop" / "circle").symlink_to(tmp_path / "runs")
    assert [run.name for run in find_runs(tmp_path / "runs").runs] == ["linked", "sasrec"]


def test_a_model_or_a_run_may_be_named_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = save(tmp_path, "sasrec")
    for folder in (run.parent, run):
        assert [found.name for found in find_runs(folder).runs] == ["sasrec"]
    monkeypatch.chdir(run)
    assert [found.name for found in find_runs(Path()).runs] == ["sasrec"]


@pytest.mark.parametrize(
    "content",
    [b"", b"step,train/loss\n1,2\n", b"epoch,train/loss\n0,low\n", b"epoch,train/loss\n1e999,1\n", b"\xff\xfe\x00"],
)
def test_damaged_curves_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"metrics\.csv: unreadable"):
        read_curves(tmp_path)


@pytest.mark.parametrize("torn", ["1", "1,", "", ",,"])
def test_a_torn_last_line_of_the_curves_is_left_out(torn: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(f"epoch,train/loss,valid/mrr\n0,2.5,0.5\n{torn}")
    assert read_curves(tmp_path) == {"train/loss": [(0, 2.5)], "valid/mrr": [(0, 0.5)]}


@pytest.mark.parametrize("ranks", [{"rank": ["a", "b"]}, {"user": [1, 2]}, {"rank": [1.0, None]}])
def test_ranks_of_wrong_types_are_named(ranks: dict[str, list[object]], tmp_path: Path) -> None:
    run = save(tmp_path, "m")
    table = {"user": ["u", "v"], "item": ["a", "b"], "rank": [1.0, 2.0]} | ranks
    pl.DataFrame(table).write_parquet(run / "test_ranks.parquet")
    with pytest.raises(UserError, match=r"test_ranks\.parquet: must hold texts"):
        _ = find_runs(tmp_path).runs[0].ranks


FORM = {"text": True, "image": True, "item_id": True, "replace_prob": 0.0, "static_user": "none", "beta": 0.0}


@pytest.mark.parametrize(
    ("name", "changes", "printed"),
    [
        ("mm_racl_kal_id", {}, "SASRec + text + image"),
        ("mm_racl_kal_id_ids_first", {}, "SASRec + text + image (ids first)"),
        ("mm_racl_kal_id_graph", {"static_user": "prefix"}, "SASRec + text + image + static interest (graph)"),
        ("mm_racl_kal", {"item_id": False, "image": False}, "SASRec without ids + text"),
        ("mm_racl_kal", {"replace_prob": 0.1, "static_user": "prefix", "beta": 0.1}, "mm_racl_kal"),
        ("mm_racl_kal_id", {"content_weight": 20.0, "co_occurrence_weight": 200.0}, "mm_racl_kal_id"),
        (
            "mm_racl_kal_id",
            {"content_weight": 20.0, "co_occurrence_weight": 0.0, "text_dim": 4, "image_dim": 0},
            "SASRec + text + retrieval",
        ),
        ("base", {}, "base"),
    ],
)
def test_a_reduced_form_is_named_by_its_parts(
    name: str, changes: dict[str, object], printed: str, tmp_path: Path
) -> None:
    save(tmp_path, name, hyperparameters=FORM | changes)
    assert label(find_runs(tmp_path).runs[0]) == printed


def test_a_committed_form_without_retrieval_is_not_called_by_the_models_name() -> None:
    for run in find_runs(experiments_folder() / "results").runs:
        options = run.result.get("hyperparameters") or {}
        if run.name.startswith("mm_racl_kal") and options.get("beta") == 0 and "content_weight" not in options:
            assert label(run).startswith("SASRec + text")
