"""The file of lists that `predict` writes while it makes them."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from mmrec.models.popularity import Popularity
from mmrec.training.callbacks import save_recommendations

FOLDER = Path("runs/toy/popularity/seed1")


@pytest.fixture(autouse=True)
def small_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    monkeypatch.setattr(save_recommendations, "USERS_AT_ONCE", 500)  # of 800, 200 in a batch


def predict(toy: RecDataModule) -> None:
    main(
        ["predict", "--data", "toy", "--model", "popularity", "--data.root", str(toy.root),
         "--data.source.init_args.path", toy.source.path, "--data.eval_batch_size", "256"]
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
