"""The file of lists that `predict` writes while it makes them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import torch

from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from mmrec.models.popularity import Popularity
from mmrec.training.callbacks import SaveRecommendations, save_recommendations

FOLDER = Path("runs/toy/popularity/seed1")


@pytest.fixture(autouse=True)
def small_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    monkeypatch.setattr(save_recommendations, "USERS_AT_ONCE", 500)  # of 800, 200 in a batch


def predict(toy: RecDataModule, *options: str) -> None:
    main(
        ["predict", "--data", "toy", "--model", "popularity", "--data.root", str(toy.root),
         "--data.source.init_args.path", toy.source.path, "--data.eval_batch_size", "256", *options]
    )  # fmt: skip


def test_every_user_has_the_most_popular_items_that_they_do_not_know(toy: RecDataModule) -> None:
    predict(toy)
    assert pq.ParquetFile(FOLDER / "recommendations.parquet").num_row_groups == 2
    written = pl.read_parquet(FOLDER / "recommendations.parquet")
    catalog, known = toy.catalog, pl.read_parquet(toy.catalog.folder / "interactions.parquet")
    counts = catalog.train.items.bincount(minlength=toy.n_items)
    raw = catalog.item_table["raw_id"].to_list()
    for user in (0, 399, 799):
        seen = set(known.filter(pl.col("user") == user)["item"].to_list())
        candidates = sorted((item for item in range(1, toy.n_items) if item not in seen), key=lambda i: -counts[i])
        lists = written.filter(pl.col("user") == catalog.user_ids[user])
        assert lists["rank"].to_list() == list(range(1, 11))
        popularity = [int(counts[raw.index(item)]) for item in lists["item"]]
        assert popularity == [int(counts[item]) for item in candidates[:10]]
        assert not {raw.index(item) for item in lists["item"]} & seen
    assert written["user"].n_unique() == 800


def test_an_interrupted_prediction_leaves_the_earlier_file_and_no_half_of_a_new_one(
    toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(toy)
    before = (FOLDER / "recommendations.parquet").read_bytes()
    made = Popularity.predict_step

    def break_off(self: Popularity, batch: object, batch_idx: int) -> object:
        if batch_idx == 3:
            raise RuntimeError("power cut")
        return made(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(Popularity, "predict_step", break_off)
    with pytest.raises(RuntimeError, match="power cut"):
        predict(toy)
    assert (FOLDER / "recommendations.parquet").read_bytes() == before
    assert [path.name for path in FOLDER.glob(".*.parquet")] == []


@pytest.mark.parametrize("limit", [("limit_predict_batches", "1"), ("fast_dev_run", "true")])
def test_a_prediction_cut_short_leaves_the_whole_lists_and_says_so(
    limit: tuple[str, str], toy: RecDataModule, caplog: pytest.LogCaptureFixture
) -> None:
    file = FOLDER / "recommendations.parquet"
    file.parent.mkdir(parents=True)
    file.write_text("whole")
    predict(toy, f"--trainer.{limit[0]}", limit[1])
    assert file.read_text() == "whole"
    assert [path.name for path in FOLDER.glob(".*.parquet*")] == []
    assert caplog.text.count("the prediction was cut short by limit_predict_batches") == 1


def test_lists_among_some_candidates_are_refused(toy: RecDataModule, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        predict(toy, "--data.candidates", "unseen")
    assert "--data.candidates unseen: `predict` makes lists from the whole catalogue" in capsys.readouterr().err


def test_a_process_without_a_user_adds_nothing_and_a_failed_join_leaves_no_shard(
    toy: RecDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = torch.tensor([5]), torch.tensor([[3, 1]]), torch.tensor([[0.5, 0.25]])
    nothing = tuple(column[:0] for column in lists)

    def write() -> tuple[SaveRecommendations, Any]:
        for rank, outputs in ((1, nothing), (0, lists)):
            made: Any = SimpleNamespace(
                global_rank=rank, world_size=2, is_global_zero=rank == 0, limit_predict_batches=1.0, datamodule=toy,
                default_root_dir=".", strategy=SimpleNamespace(barrier=lambda: None),
            )  # fmt: skip
            callback = SaveRecommendations()
            callback.on_predict_start(made, None)
            callback.on_predict_batch_end(made, None, outputs, None, 0)
            if rank == 1:
                callback.on_predict_end(made, None)
        return callback, made

    first, trainer = write()
    first.on_predict_end(trainer, None)
    written = pl.read_parquet("recommendations.parquet")
    assert written["user"].to_list() == [toy.catalog.user_ids[5]] * 2
    assert [path.name for path in Path().glob("*.parquet*")] == ["recommendations.parquet"]

    first, trainer = write()
    monkeypatch.setattr(first, "_join", lambda shard: 1 / 0)
    with pytest.raises(ZeroDivisionError) as error:
        first.on_predict_end(trainer, None)
    first.on_exception(trainer, None, error.value)
    assert [path.name for path in Path().glob(".*.parquet*")] == []
