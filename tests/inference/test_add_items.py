"""Added items are scored as items are that were in the catalogue from the start and that nobody has interacted with."""

import hashlib
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import mmrec
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import HandcraftedEncoder
from mmrec.data.features.new_items import COLUMNS, AddedItems, NewItem
from mmrec.data.features.transforms import fit_transforms
from mmrec.data.prepare.pipeline import Dataset, PrepareOptions
from mmrec.errors import InvalidArgument, UserError
from mmrec.models.rows import Places, carry_over
from tests.contracts.conftest import build

OPTIONS = PrepareOptions(split="leave_one_out", require_text=False, require_image=False, hold_out_items=0.1)
CONTENT = [
    "mm_racl_kal", "mm_racl_kal_id", "mm_racl_kal-with_ids", "text_sasrec", "sasrec_text_image", "content_knn",
    "text_lightgcn", "vbpr", "mmgcn", "racl_kal",
]  # fmt: skip
IDS_ALONE = ["sasrec", "ease", "itemknn", "popularity", "lightgcn", "gru4rec"]


@pytest.fixture(scope="module")
def whole(toy: RecDataModule) -> RecDataModule:
    """The toy shop with a tenth of its items held out: without training interactions, but in the catalogue."""
    return RecDataModule(toy.source, prepare=OPTIONS, encoder=HandcraftedEncoder(), root=str(toy.root), max_length=8)


@pytest.fixture(scope="module")
def without(whole: RecDataModule, tmp_path_factory: pytest.TempPathFactory) -> RecDataModule:
    """The same data as if the items without training interactions had never been there."""
    catalog = whole.catalog
    known = np.flatnonzero(catalog.train.popularity.numpy() > 0)
    place = np.zeros(catalog.n_items, np.int32)
    place[known] = np.arange(1, len(known) + 1)
    stays = np.isin(catalog.items.numpy(), known)
    user = catalog.user_of(torch.arange(len(catalog.items))).numpy()[stays]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=catalog.n_users))])
    table = catalog.item_table[[0, *known.tolist()]].with_columns(
        item=pl.int_range(len(known) + 1, dtype=pl.Int32), image_url=pl.lit(None, pl.String)
    )
    arrays = (catalog.items.numpy()[stays], catalog.timestamp.numpy()[stays], catalog.split.numpy()[stays])
    item, timestamp, split = (place[arrays[0]], *arrays[1:])
    digest = hashlib.sha256()
    for column in (user.astype(np.int32), item, timestamp, split):
        digest.update(np.ascontiguousarray(column).data)
    manifest = replace(
        catalog.manifest, n_items=len(table), n_interactions=len(item), data_hash=digest.hexdigest(), files={}
    )
    folder = tmp_path_factory.mktemp("without") / "toy"
    folder.mkdir()
    users = pl.Series(catalog.user_ids)
    Dataset(offsets.astype(np.int64), item, timestamp, split, table, users, manifest).save(folder)
    data = RecDataModule(
        whole.source, prepare=OPTIONS, encoder=HandcraftedEncoder(), root=str(whole.root), max_length=8
    )
    data.catalog = Catalog(folder)
    return data


def held_out(whole: RecDataModule) -> list[NewItem]:
    rows = whole.catalog.item_table.filter(pl.Series(whole.catalog.train.popularity.numpy() == 0)).slice(1)
    return [NewItem(r["raw_id"], r["text"], r["image"], r["title"]) for r in rows.select(COLUMNS).iter_rows(named=True)]


def histories(data: RecDataModule, count: int = 6) -> list[tuple[str, list[str]]]:
    """Return users and their training histories in raw ids."""
    view, raw = data.catalog.train, data.catalog.item_table["raw_id"]
    offsets = view.offsets.tolist()
    return [
        (data.catalog.user_ids[u], raw.gather(view.items[offsets[u] : offsets[u + 1]].tolist()).to_list())
        for u in range(3, 3 + count)
    ]


@pytest.mark.parametrize("name", CONTENT)
def test_added_items_score_like_items_of_the_catalogue_without_interactions(
    name: str, whole: RecDataModule, without: RecDataModule
) -> None:
    source = build(name, without).eval()
    target = build(name, whole).eval()
    users = Places(torch.arange(whole.n_users), whole.n_users)
    items = Places.of(*(d.catalog.item_table["raw_id"].to_list() for d in (whole, without)))
    with torch.no_grad():
        for gate in ("text_gate", "image_gate"):  # that start at zero
            if getattr(getattr(source, "item_encoder", None), gate, None) is not None:
                getattr(source.item_encoder, gate).fill_(0.7)
        carry_over(source, target, source.row_parameters(), {"users": users, "items": items})
    # The catalogue that has the items reads features as the other one does: the centre is frozen.
    expected = mmrec.TrainedRecommender(target, whole)
    expected.features.transforms = fit_transforms(without.features)
    target.attach(whole.catalog, expected.features)
    expected.features.transforms = None
    shop = mmrec.TrainedRecommender(source, without)

    asked = [(history, None if source.reads_history else user) for user, history in histories(whole)]
    old, new = without.catalog.item_table["raw_id"].to_list()[1:], held_out(whole)
    before = [{one.item: one.score for one in shop.rank(h, old, user=u)} for h, u in asked]
    report = shop.add_items(new)
    assert set(report.added) | set(report.empty) == {one.raw_id for one in new}
    assert len(report.added) >= len(new) - 2
    for (history, user), scores in zip(asked, before, strict=True):
        after = {one.item: one.score for one in shop.rank(history, old, user=user)}
        np.testing.assert_allclose([after[i] for i in old], [scores[i] for i in old], rtol=1e-5, atol=1e-6)
        wanted = {one.item: one.score for one in expected.rank(history, report.added, user=user)}
        scored = {one.item: one.score for one in shop.rank(history, report.added, user=user)}
        np.testing.assert_allclose(
            [scored[i] for i in report.added], [wanted[i] for i in report.added], rtol=1e-4, atol=1e-5
        )


@pytest.fixture
def shop(without: RecDataModule) -> mmrec.TrainedRecommender:
    return mmrec.TrainedRecommender(build("mm_racl_kal_id", without), without)


def test_an_added_item_is_candidate_neighbour_and_history_at_once(
    shop: mmrec.TrainedRecommender, whole: RecDataModule
) -> None:
    history = histories(whole)[0][1]
    popular = shop.recommend([], k=3)
    added = shop.add_items(held_out(whole)).added
    assert set(added) & {one.item for one in shop.recommend(history, k=shop.catalog.n_items)}
    assert (
        shop.recommend(history, k=1, candidates=[added[0]])[0].title
        == shop.items.row(by_predicate=pl.col("item") == added[0], named=True)["title"]
    )
    assert added[0] not in {one.item for one in shop.similar(added[0], k=300)}
    assert set(added) & {one.item for one in shop.similar(added[0], k=300)}
    assert shop.recommend([*history, added[1]]) != shop.recommend(history)
    assert shop.recommend([], k=3) == popular
    assert shop.items["item"][-len(added) :].to_list() == list(added)
    assert shop.explain([added[1], *history], added[0]).text
    with pytest.raises(InvalidArgument, match="not in the catalogue"):
        shop.rank(history, ["nobody's"])


def test_items_added_one_after_the_other_are_those_of_a_reopened_run(
    shop: mmrec.TrainedRecommender, whole: RecDataModule, without: RecDataModule, tmp_path: Path
) -> None:
    new, history = held_out(whole), histories(whole)[1][1]
    shop.add_items(new[:9])
    shop.add_items(new[9:])
    shop.added.save(tmp_path / "added.parquet")
    again = mmrec.TrainedRecommender(build("mm_racl_kal_id", without), without)
    again.model.load_state_dict({**shop.model.state_dict(), **item_ids_of(shop, without)})
    again.restore_items(AddedItems.load(tmp_path / "added.parquet", fit_transforms(without.features)))
    ids = shop.items["item"].to_list()
    assert again.items["item"].to_list() == ids
    assert again.rank(history, ids) == shop.rank(history, ids)
    again.model.attach(again.catalog, again.features)  # as Lightning does before `predict`
    again.model.end_evaluation()
    assert again.rank(history, ids) == shop.rank(history, ids)


def item_ids_of(shop: mmrec.TrainedRecommender, data: RecDataModule) -> dict[str, torch.Tensor]:
    return {name: shop.model.get_parameter(name)[: data.n_items] for name in ["item_encoder.id.weight"]}


def test_what_cannot_be_added_is_left_out_and_counted_in_one_line(
    shop: mmrec.TrainedRecommender, whole: RecDataModule, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    known, new = shop.items["item"][0], held_out(whole)[0]
    file = tmp_path / "new.csv"
    shutil.copy(Path(new.image), tmp_path / "n1.jpg")
    file.write_text(
        "id,title,text,image,attributes\n"
        f'n1,Hat,a felt hat,n1.jpg,"{{""brand"": ""Acme""}}"\n{known},Hat,a hat,,\n'
        "n2,Hat,a hat,gone.jpg,\nn3,,,,\nn1,,,,\n"
    )
    with caplog.at_level(logging.INFO):
        report = shop.add_items(file)
    assert (report.added, report.known, report.empty, report.repeated) == (("n1", "n2"), (known,), ("n3",), 1)
    assert [fault.count for fault in report.faults.values()] == [1]
    assert len([line for line in caplog.messages if line.startswith("added 2 of 5 items")]) == 1
    assert shop.features.image_present[-2:].tolist() == [True, False]
    assert shop.items["brand"][-2] == "Acme"
    assert shop.add_items([NewItem("n1", "again")]).added == ()


@pytest.mark.parametrize("way", ["list", "file"])
def test_ids_of_new_items_are_checked_and_have_one_spelling(
    way: str, shop: mmrec.TrainedRecommender, tmp_path: Path
) -> None:
    known = shop.items["item"][0]
    ids = [" sp ace ", "e\u0301", "zero\u200bw", f"{known} ", "sp ace", " ", "NULL", "bell\a"]
    file = tmp_path / "new.csv"
    file.write_text("id,text\n" + "".join(f"{one},a hat\n" for one in ids), encoding="utf-8")
    report = shop.add_items(file if way == "file" else [NewItem(one, "a hat") for one in ids])
    assert (report.added, report.known, report.repeated) == (("sp ace", "\xe9", "zerow"), (known,), 1)
    assert {kind: fault.count for kind, fault in report.faults.items() if "invisible" not in kind} == {
        "item record without id": 1, "item record with a placeholder for its id": 1, "item record with malformed id": 1
    }  # fmt: skip
    assert {one.item for one in shop.rank([known], ids[:3])} == set(report.added)
    assert [one.item for one in shop.recommend([known], candidates=ids[:2], exclude=ids[1:2])] == ["sp ace"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_files_of_all_kinds_and_images_by_id(
    ending: str, shop: mmrec.TrainedRecommender, whole: RecDataModule, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(Path(held_out(whole)[0].image), tmp_path / "photos" / "7.jpg")
    frame = pl.DataFrame({"id": [7, 8], "title": ["Hat", "Cap"], "attributes": [{"brand": "Acme"}, {"brand": None}]})
    file = tmp_path / f"new.{ending}"
    frame.write_ndjson(file) if ending == "jsonl" else frame.write_parquet(file)
    report = shop.add_items(file, images=tmp_path / "photos")
    assert (report.added, report.empty) == (("7",), ("8",))
    assert shop.items.row(-1)[:2] == ("7", "Hat")


@pytest.mark.parametrize("name", IDS_ALONE)
def test_models_that_know_items_by_id_alone_refuse_new_ones(name: str, without: RecDataModule) -> None:
    shop = mmrec.TrainedRecommender(build(name, without), without)
    with pytest.raises(InvalidArgument, match=f"{type(shop.model).__name__} knows items by their ids alone"):
        shop.add_items([NewItem("n1", "a hat")])


def test_a_file_without_ids_or_of_another_encoder_is_refused(shop: mmrec.TrainedRecommender, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("sku,text\n1,a hat\n")
    with pytest.raises(UserError, match=r"new\.csv: has no column id; the columns of new items are id, title"):
        shop.add_items(tmp_path / "new.csv")
    with pytest.raises(UserError, match=r"new items must be encoded by handcrafted"):
        shop.add_items([NewItem("1", "a hat")], encoder=mmrec.WithAttributesEncoder(HandcraftedEncoder()))
