"""A trained run and data that grow: items that are added to it, and a fit that goes on from it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml

import mmrec
from mmrec.cli.main import main
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.features.transforms import FeatureTransforms
from mmrec.data.schema import Split
from mmrec.data.sources import Toy
from mmrec.errors import UserError
from mmrec.training.start_from import start_from

QUIET = ("--tracking.wandb", "false", "--trainer.enable_progress_bar", "false", "--explain", "false")
SMALL = (
    "--model.init_args.hidden_dim", "16", "--model.init_args.item_id", "true", "--trainer.max_epochs", "1"
)  # fmt: skip
OPTIONS = {
    "item_id": True,
    "features_first": True,
    "static_user": "prefix",
    "replace_prob": 0.0,
    "beta": 0.0,
    "heads": 2,
}
UNTIL = "2016-06-01"


@pytest.fixture(scope="module")
def earlier(toy: RecDataModule) -> RecDataModule:
    """The toy shop when it had fewer customers and products."""
    return RecDataModule(
        Toy(toy.source.path), prepare=replace(toy.options, until=UNTIL), encoder=HandcraftedEncoder(),
        root=str(toy.root), max_length=8,
    )  # fmt: skip


def of(data: RecDataModule, runs: Path) -> list[str]:
    """Return the arguments of a fit on the shop as it was."""
    place = ["--data.root", str(data.root), "--data.source.init_args.path", data.source.path, "--runs", str(runs)]
    return ["--data", "toy", "--data.prepare.until", UNTIL, "--model", "mm_racl_kal", *place, *SMALL, *QUIET]


@pytest.fixture(scope="module")
def trained(earlier: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs, with one of a model with ids, features and a row per user."""
    runs = tmp_path_factory.mktemp("grown") / "runs"
    main(["fit", *of(earlier, runs)])
    return runs


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, in a folder of its own."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs" / "toy" / "mm_racl_kal" / "seed1"


def test_items_are_added_to_a_run_for_good(
    run: Path, earlier: RecDataModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, table = earlier.catalog, earlier.catalog.item_table
    frame = pl.DataFrame({"id": ["n1", "n2"], "title": ["First", "Second"], "text": [table["text"][5], "a red hat"]})
    frame.with_columns(image=pl.Series([table["image"][5], None])).write_parquet(tmp_path / "new.parquet")
    before = mmrec.load(run)
    history = table["raw_id"][[3, 8, 40]].to_list()
    ids = before.items["item"].to_list()
    main(["items", "add", str(run), str(tmp_path / "new.parquet")])
    assert "added 2 of 2 items" in capsys.readouterr().out
    other = {"id": ["n2", "n3"], "text": ["a red hat", "a long blue scarf"]}
    pl.DataFrame(other).write_csv(tmp_path / "more.csv")
    main(["items", "add", str(run), str(tmp_path / "more.csv")])
    assert "added 1 of 2 items; 1 are in the catalogue already (first n2)" in capsys.readouterr().out

    shop = mmrec.load(run)
    assert shop.items["item"][-3:].to_list() == ["n1", "n2", "n3"]
    assert [(one.item, round(one.score, 4)) for one in shop.rank(history, ids)] == [
        (one.item, round(one.score, 4)) for one in before.rank(history, ids)
    ]
    everyone = catalog.n_items + 3
    main(["predict", *of(earlier, run.parents[2]), "--top_k", str(everyone)])
    lists = pl.read_parquet(run / "recommendations.parquet")
    assert lists.filter(pl.col("item") == "n1").height == catalog.n_users
    user = catalog.user_ids[11]
    items = catalog.items[catalog.offsets[11] : catalog.offsets[12]].tolist()
    made = shop.recommend(table["raw_id"].gather(items).to_list(), k=everyone)
    assert [one.item for one in made] == lists.filter(pl.col("user") == user).sort("rank")["item"].to_list()

    main(["items", "remove", str(run), "n2\u200b"])  # brought to the spelling of the data
    main(["items", "list", str(run)])
    listed = capsys.readouterr()
    assert listed.out.splitlines()[-2:] == ["n1\tFirst", "n3\t"]
    assert listed.err == "2 items were added\n"
    with pytest.raises(SystemExit):
        main(["items", "remove", str(run), "n2"])
    assert "n2 is not among the 2 items that were added" in capsys.readouterr().err
    main(["validate", *of(earlier, run.parents[2])])  # of the catalogue it was trained on


def test_a_fit_that_starts_from_a_run_on_the_same_data_begins_at_its_validation(
    run: Path, earlier: RecDataModule
) -> None:
    best = pl.read_csv(run / "metrics.csv")["valid/ndcg@10"].drop_nulls().max()
    main(["fit", *of(earlier, run.parents[2]), "--from", str(run)])  # which is put aside
    start = json.loads((run / "result.json").read_text())["started_from"]
    assert start["run"] == str(run.with_name("seed1.1"))
    assert start["items"] == {"known": earlier.n_items - 1, "new": 0}
    assert start["data_hash"] == earlier.catalog.manifest.data_hash
    assert start["valid"]["ndcg@10"] == pytest.approx(best, abs=1e-6)
    assert yaml.safe_load((run / "config.yaml").read_text())["from"] == str(run)


@pytest.mark.parametrize("options", [["--data.prepare.split", "ratio"], ["--data.prepare.hold_out_items", "0.3"]])
def test_a_start_that_knows_held_out_interactions_is_told_and_shown(
    options: list[str],
    run: Path,
    earlier: RecDataModule,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = [*of(earlier, run.parents[2]), *options]
    main(["fit", *again, "--name", "again", "--from", str(run)])
    main(["fit", *again, "--name", "third", "--from", str(run.parents[1] / "again" / "seed1")])
    folders = [run.parents[1] / name / "seed1" for name in ("again", "third")]
    found = [json.loads((folder / "result.json").read_text()) for folder in folders]
    counts = [one["started_from"]["held_out_again"] for one in found]
    catalog = mmrec.load(folders[0]).catalog
    trained, seen = set(raw_pairs(earlier.catalog, Split.TRAIN)), set(raw_pairs(catalog, Split.TRAIN))
    items = {item for _, item in trained} - {item for _, item in seen}
    known = [pair in trained or pair[1] in items for pair in raw_pairs(catalog, Split.TEST)]
    assert counts[0] == counts[1]  # what the first run knew, the second has from it
    assert 0 < counts[0]["test"] == sum(known) < len(known)
    assert caplog.text.count(f"{sum(known):,} of the test interactions of these data") == 2
    main(["compare", str(run.parents[1])])
    assert f"trained on {counts[0]['test']:,} of the" in " ".join(capsys.readouterr().out.split())


def test_features_have_the_width_of_the_start(run: Path, earlier: RecDataModule) -> None:
    args = of(earlier, run.parents[2])
    main(["fit", *args, "--name", "narrow", "--data.whiten", "12"])
    narrow = run.parents[1] / "narrow" / "seed1"
    main(["fit", *args, "--name", "wide", "--data.whiten", "16", "--from", str(narrow)])
    best = torch.load(run.parents[1] / "wide" / "seed1" / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["state_dict"]["item_encoder.text_projection.weight"].shape[1] == 12
    assert mmrec.load(run.parents[1] / "wide" / "seed1").features.text_dim == 12


def test_a_start_of_an_earlier_version_is_used_with_a_word(
    run: Path, toy: RecDataModule, caplog: pytest.LogCaptureFixture
) -> None:
    data = grown(toy)
    model = mmrec.MMRaclKal.for_data(data, hidden_dim=16, **OPTIONS)
    pl.DataFrame({"user": [9**6], "item": [1]}).write_parquet(run / "trained.parquet")
    with pytest.raises(UserError, match=r"trained\.parquet: holds rows that are not in the run's ids"):
        start_from(model, data, run)
    (run / "trained.parquet").unlink()
    assert start_from(model, data, run).held_out_again is None
    assert "is not known" in caplog.text


def raw_pairs(catalog: Catalog, split: Split) -> list[tuple[str, str]]:
    """Return the interactions of a split by raw ids."""
    rows = torch.nonzero(catalog.split == int(split)).squeeze(1)
    items = catalog.item_table["raw_id"].gather(catalog.items[rows].tolist())
    return [(catalog.user_ids[user], item) for user, item in zip(catalog.user_of(rows).tolist(), items, strict=True)]


def test_rows_of_known_users_and_items_are_carried_to_data_that_have_grown(run: Path, toy: RecDataModule) -> None:
    shop = mmrec.load(run)
    source, users = shop.model, shop.catalog.user_ids
    torch.manual_seed(3)
    data = grown(toy)
    model = mmrec.MMRaclKal.for_data(data, hidden_dim=16, **OPTIONS)
    nodes = model.user_nodes.weight.detach().clone()
    start = start_from(model, data, run)
    assert start.items == {"known": shop.catalog.n_items - 1, "new": toy.n_items - shop.catalog.n_items}
    assert start.users == {"known": len(users), "new": toy.n_users - len(users)}
    assert start.held_out_again == {"valid": 0, "test": 0}
    there = shop.catalog.item_table["raw_id"].to_list()
    places = [there.index(raw) if raw in there else -1 for raw in toy.catalog.item_table["raw_id"]]
    for row, place in enumerate(places):
        expected = source.item_encoder.id.weight[place] if place >= 0 else source.item_encoder.new_id()
        assert torch.equal(model.item_encoder.id.weight[row], expected)
    for row, raw in enumerate(toy.catalog.user_ids):
        expected = source.user_nodes.weight[users.index(raw)] if raw in users else nodes[row]
        assert torch.equal(model.user_nodes.weight[row], expected)
    assert torch.equal(model.item_encoder.text_projection.weight, source.item_encoder.text_projection.weight)
    model.attach(data.catalog, data.features)  # read as the run reads its own
    kept = FeatureTransforms.load(run / "transforms.npz").modalities["text"].centring.mean
    assert torch.equal(model.item_encoder.features.text_mean, kept)


def grown(toy: RecDataModule) -> RecDataModule:
    """The toy shop as it is now, for one test alone: the start changes how its features are read."""
    return RecDataModule(
        Toy(toy.source.path), prepare=toy.options, encoder=HandcraftedEncoder(), root=str(toy.root), max_length=8
    )


def test_a_start_that_does_not_fit_is_refused_in_one_line(
    run: Path, toy: RecDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    data = grown(toy)
    with pytest.raises(UserError, match="is of MMRaclKal, the model of SASRec"):
        start_from(mmrec.SASRec.for_data(data), data, run)
    wide = mmrec.MMRaclKal.for_data(data, hidden_dim=32, **OPTIONS)
    with pytest.raises(UserError, match=r"cannot be the start: .* 16 in the trained model and .*32 here"):
        start_from(wide, data, run)
    other = RecDataModule(
        Toy(toy.source.path), prepare=toy.options, encoder=mmrec.WithAttributesEncoder(HandcraftedEncoder()),
        root=str(toy.root), max_length=8,
    )  # fmt: skip
    model = mmrec.MMRaclKal.for_data(other, hidden_dim=16, **OPTIONS)
    with pytest.raises(UserError, match="was trained on features of handcrafted"):
        start_from(model, other, run)
    pl.DataFrame({"kind": ["item", "item"], "raw_id": ["", "of another shop"]}).write_parquet(run / "ids.parquet")
    with pytest.raises(UserError, match="has no item of"):
        start_from(model, data, run)
    with pytest.raises(SystemExit):
        main(["fit", *of(toy, run.parents[2]), "--from", "nowhere"])
    assert "nowhere: no such file; name a checkpoint, or the folder of a run" in capsys.readouterr().err


def test_examples_of_the_python_page_run(
    run: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (Path(mmrec.__file__).parents[1] / "docs" / "python.md").read_text()
    (tmp_path / "photos").mkdir()
    shutil.copy(toy.catalog.item_table["image"][5], tmp_path / "photos" / "hat.jpg")
    (tmp_path / "new.csv").write_text("id,text,image\nn1,a felt hat,hat.jpg\n")
    monkeypatch.chdir(tmp_path)
    names = {"data": grown(toy)}
    for block in re.findall("```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert names["added"].added == ("B-17",)
    assert names["start"].items["new"] > 0
