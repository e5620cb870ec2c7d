"""A trained run and data that grow: items that are added to it, and a fit that goes on from it."""

import shutil
from pathlib import Path

import polars as pl
import pytest

import mmrec
from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule

QUIET = ("--tracking.wandb", "false", "--trainer.enable_progress_bar", "false", "--explain", "false")
SMALL = ("--model.init_args.hidden_dim", "16", "--trainer.max_epochs", "1")


@pytest.fixture(scope="module")
def trained(toy: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs, with one of a model with ids, features and both graphs."""
    runs = tmp_path_factory.mktemp("grown") / "runs"
    main(["fit", "--data", "toy", "--model", "mm_racl_kal_id", *of(toy), "--runs", str(runs), *SMALL, *QUIET])
    return runs


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, in a folder of its own."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs" / "toy" / "mm_racl_kal_id" / "seed1"


def of(data: RecDataModule) -> list[str]:
    return ["--data.root", str(data.root), "--data.source.init_args.path", data.source.path]


def test_items_are_added_to_a_run_for_good(
    run: Path, toy: RecDataModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = toy.catalog.item_table
    frame = pl.DataFrame({"id": ["n1", "n2"], "title": ["First", "Second"], "text": [table["text"][5], "a red hat"]})
    frame.with_columns(image=pl.Series([table["image"][5], None])).write_parquet(tmp_path / "new.parquet")
    before = mmrec.load(run)
    history = table["raw_id"][[3, 8, 40]].to_list()
    ids = before.items["item"].to_list()
    main(["items", "add", str(run), str(tmp_path / "new.parquet")])
    assert "added 2 of 2 items" in capsys.readouterr().out
    frame.with_columns(id=pl.Series(["n2", "n3"])).write_csv(tmp_path / "more.csv")
    main(["items", "add", str(run), str(tmp_path / "more.csv")])
    assert "added 1 of 2 items; 1 are in the catalogue already (first n2)" in capsys.readouterr().out

    shop = mmrec.load(run)
    assert shop.items["item"][-3:].to_list() == ["n1", "n2", "n3"]
    assert [(one.item, round(one.score, 4)) for one in shop.rank(history, ids)] == [
        (one.item, round(one.score, 4)) for one in before.rank(history, ids)
    ]
    assert shop.similar("n1", k=1)[0].item == table["raw_id"][5]

    everyone = toy.catalog.n_items + 3
    model = ["--data", "toy", "--model", "mm_racl_kal_id", *of(toy), "--runs", str(run.parents[2]), *SMALL, *QUIET]
    main(["predict", *model, "--top_k", str(everyone)])
    lists = pl.read_parquet(run / "recommendations.parquet")
    assert lists.filter(pl.col("item") == "n1").height == toy.n_users
    user = toy.catalog.user_ids[11]
    items = toy.catalog.items[toy.catalog.offsets[11] : toy.catalog.offsets[12]].tolist()
    made = shop.recommend(table["raw_id"].gather(items).to_list(), k=everyone)
    assert [one.item for one in made] == lists.filter(pl.col("user") == user).sort("rank")["item"].to_list()

    main(["items", "remove", str(run), "n2"])
    main(["items", "list", str(run)])
    assert capsys.readouterr().out.splitlines()[-3:] == ["n1\tFirst", "n3\tSecond", "2 items were added"]
    with pytest.raises(SystemExit):
        main(["items", "remove", str(run), "n2"])
    assert "n2 is not among the 2 items that were added" in capsys.readouterr().err
    main(["test", *model])  # of the catalogue it was trained on
