"""A bundle answers as its run does, in every form, and is refused when a file of it is damaged."""

import copy
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import polars as pl
import pytest
import torch
from fastapi.testclient import TestClient

import mmrec
from mmrec.batch import PAD
from mmrec.cli.main import main
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.new_items import NewItem
from mmrec.data.features.store import Features
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument, UserError
from mmrec.inference.bundle import export as exporting
from mmrec.inference.bundle import is_bundle
from mmrec.inference.bundle.export import ExportOptions, export_model
from mmrec.inference.bundle.index import build_index, recall, tune
from mmrec.inference.bundle.portable import scorer
from mmrec.inference.serve.app import build_app
from mmrec.inference.serve.options import ServeOptions
from mmrec.models.recommender import Recommender
from mmrec.testing import build_model
from tests.contracts.conftest import MODELS, build

ONE_PER_CLASS = {"mm_racl_kal", "mm_racl_kal_id", "racl_kal", "sasrec_text_image_time", "gru4rec", "lightgcn", "vbpr"}
ONE_PER_CLASS |= {"mmgcn", "ease", "itemknn", "content_knn", "popularity"}
CONFIGS = [
    name if name in ONE_PER_CLASS else pytest.param(name, marks=pytest.mark.slow)
    for name in sorted(MODELS)
    if "-" not in name
]


class OwnModel(mmrec.Popularity):
    """A model outside the package that keeps a plain value of its data."""

    largest = 1.0

    def attach(self, catalog: Catalog, features: Features | None) -> None:
        super().attach(catalog, features)
        self.largest = float(self.counts.max())

    def item_vectors(self) -> torch.Tensor:
        return super().item_vectors() / self.largest


def histories(data: RecDataModule) -> list[list[str]]:
    raw = data.catalog.item_table["raw_id"].to_list()
    return [[raw[i] for i in data.catalog.items[a:b].tolist()] for a, b in pairwise(data.catalog.offsets.tolist())]


def make(name: str, data: RecDataModule) -> Recommender:
    """Return a model of a config; its parameters are those of seed 0 and not trained."""
    return build(name, data).eval()


@pytest.fixture
def without_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out torch.export and ONNX, which take seconds per model."""
    monkeypatch.setattr(exporting, "write_graphs", lambda *_: {})


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("name", CONFIGS)
def test_every_model_answers_from_its_bundle_as_before(name: str, toy: RecDataModule, tmp_path: Path) -> None:
    model = make(name, toy)
    made = export_model(model, toy, tmp_path / "bundle")
    before, after = mmrec.TrainedRecommender(model, toy), mmrec.load(tmp_path / "bundle")
    for user, history in enumerate(histories(toy)[:5]):
        known = {} if model.reads_history else {"user": toy.catalog.user_ids[user]}
        assert after.recommend(history, **known) == before.recommend(history, **known)
    assert after.recommend([], user=toy.catalog.user_ids[0] if not model.reads_history else None)
    names = pl.read_parquet(tmp_path / "bundle" / "data" / "users.parquet")["raw_id"].to_list()
    assert (names == toy.catalog.user_ids) == (not model.reads_history)
    parts = {"item_vectors", "index", "user_encoder", "scorer"}
    assert all(reason and "\n" not in reason for reason in made.absent.values())
    assert made.absent.keys() <= parts
    if model.is_dot_product:
        assert (tmp_path / "bundle" / "index.faiss").is_file()


@pytest.mark.usefixtures("without_graphs")
def test_a_model_of_the_users_own_is_attached_anew(toy: RecDataModule, tmp_path: Path) -> None:
    model = build_model(OwnModel, toy)
    export_model(model, toy, tmp_path / "bundle")
    shop = mmrec.load(tmp_path / "bundle")
    assert type(shop.model) is OwnModel
    assert shop.recommend(histories(toy)[0]) == mmrec.TrainedRecommender(model, toy).recommend(histories(toy)[0])


@pytest.mark.parametrize("name", ["mm_racl_kal", pytest.param("mm_racl_kal_id", marks=pytest.mark.slow)])
def test_onnx_ranks_as_the_model(name: str, toy: RecDataModule, tmp_path: Path) -> None:
    model = make(name, toy)
    bundle = tmp_path / "bundle"
    export_model(model, toy, bundle)
    some = [row for row in histories(toy)[:30] if row]
    shop, by_onnx = mmrec.TrainedRecommender(model, toy), mmrec.load(bundle, runtime="onnx")
    assert by_onnx.scorer.graph is not None
    assert by_onnx.scorer.graph.gives_scores != model.is_dot_product
    expected, made = shop.recommend_many([*some, []]), by_onnx.recommend_many([*some, []])
    assert [[one.item for one in row] for row in made] == [[one.item for one in row] for row in expected]
    at = [toy.catalog.newest + 3600 * number for number in range(len(some[0]))]
    once = [shop.recommend(some[0], times=at), by_onnx.recommend(some[0], times=at)]
    np.testing.assert_allclose(*[[one.score for one in row] for row in once], rtol=1e-4)
    if model.is_dot_product:
        np.testing.assert_allclose(by_onnx.user_vectors(some), shop.user_vectors(some), atol=1e-5)
        program = torch.export.load(bundle / "user_encoder.pt2").module()
        items = torch.tensor([[toy.catalog.item_table["raw_id"].to_list().index(one) for one in some[0]]])
        np.testing.assert_allclose(program(items).detach().numpy(), by_onnx.user_vectors(some[:1]), atol=1e-5)


def test_the_program_of_scores_ranks_unseen_items_as_the_model(toy: RecDataModule, tmp_path: Path) -> None:
    held_out = replace(toy.options, hold_out_items=0.1)
    data = RecDataModule(toy.source, prepare=held_out, encoder=toy.encoder, root=str(tmp_path), max_length=8)
    model, batch = make("mm_racl_kal_id", data), next(iter(data.eval_dataloader(Split.VALID)))
    assert len(model.unseen.items)
    asked = batch.clock.query_time[torch.arange(len(batch.user)), batch.lengths - 1]
    program = scorer(model, data.max_length)
    torch.testing.assert_close(program(batch.items, batch.clock.item_time, asked), model.score(batch))


@pytest.mark.usefixtures("without_graphs")
def test_a_runtime_without_a_graph_is_refused(toy: RecDataModule, tmp_path: Path) -> None:
    export_model(make("sasrec", toy), toy, tmp_path / "bundle")
    with pytest.raises(UserError, match=r"user_encoder\.onnx"):
        mmrec.load(tmp_path / "bundle", runtime="onnx")
    with pytest.raises(UserError, match="mmrec export"):
        mmrec.load(tmp_path, runtime="onnx")
    with pytest.raises(InvalidArgument, match="torch, onnx"):
        mmrec.load(tmp_path / "bundle", runtime="jax")  # type: ignore[arg-type]


@pytest.mark.usefixtures("without_graphs")
def test_a_damaged_file_is_named(toy: RecDataModule, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    export_model(make("sasrec", toy), toy, bundle)
    file = bundle / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.safetensors: its content does not match the checksum") as raised:
        mmrec.load(bundle)
    assert "\n" not in str(raised.value)
    file.unlink()
    with pytest.raises(UserError, match=r"weights\.safetensors: is missing"):
        mmrec.load(bundle)


@pytest.mark.usefixtures("without_graphs")
def test_a_bundle_is_whole_or_not_there(toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle"
    export_model(make("sasrec", toy), toy, bundle)
    before = (bundle / "manifest.json").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_card", fail)
    for target in (bundle, tmp_path / "other"):
        with pytest.raises(UserError, match="No space left on device"):
            export_model(make("racl_kal", toy), toy, target)
    assert (bundle / "manifest.json").read_bytes() == before
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(UserError, match="exists and is not a bundle"):
        export_model(make("sasrec", toy), toy, tmp_path)


@pytest.mark.usefixtures("without_graphs")
def test_a_manifest_cannot_name_foreign_code(toy: RecDataModule, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    export_model(make("sasrec_text", toy), toy, bundle, encoder={"class_path": "subprocess.Popen", "init_args": {}})
    with pytest.raises(UserError, match=r"subprocess\.Popen is not an encoder of mmrec"):
        _ = mmrec.load(bundle).data.encoder
    manifest = bundle / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "model": {"class_path": "pathlib.Path", "init_args": {}}}))
    with pytest.raises(UserError, match=r"pathlib\.Path is not a model"):
        mmrec.load(bundle)
    manifest.write_text(json.dumps({**content, "files": {"../../etc/hostname": "0"}}))
    with pytest.raises(UserError, match="lies outside the bundle"):
        mmrec.load(bundle)
    assert is_bundle(bundle)
    assert not is_bundle(toy.catalog.folder)


@pytest.mark.usefixtures("without_graphs")
def test_an_approximate_index_answers_with_its_recall(toy: RecDataModule, tmp_path: Path) -> None:
    model = make("sasrec", toy)
    exact = mmrec.TrainedRecommender(model, toy)
    made = export_model(model, toy, tmp_path / "bundle", ExportOptions(index="hnsw"))
    assert made.index is not None
    assert made.index["recall"] >= 0.9
    shop = mmrec.load(tmp_path / "bundle")
    assert shop.index is not None
    some = histories(toy)[:20]
    share = [
        len({one.item for one in a} & {one.item for one in b}) / 10
        for a, b in zip(shop.recommend_many(some), exact.recommend_many(some), strict=True)
    ]
    assert np.mean(share) > 0.9
    assert not set(some[0]) & {one.item for one in shop.recommend(some[0], k=100)}
    assert shop.recommend(some[0], candidates=some[1]) == exact.recommend(some[0], candidates=some[1])


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_lists_that_the_index_was_not_tuned_for_are_exact(
    kind: Literal["ivf", "hnsw"], toy: RecDataModule, tmp_path: Path
) -> None:
    model = make("sasrec", toy)
    exact = mmrec.TrainedRecommender(model, toy)
    export_model(model, toy, tmp_path / "bundle", ExportOptions(index=kind))
    shop = mmrec.load(tmp_path / "bundle")
    assert shop.index is not None
    shop.index.effort = 1
    some = histories(toy)[0]
    best = [one.item for one in exact.recommend(some, k=toy.n_items)]
    assert [one.item for one in shop.recommend(some, k=toy.n_items)] == best
    assert [one.item for one in shop.recommend(some, k=10, exclude=best[:100])] == best[100:110]
    shop.index.k = toy.n_items  # as if tuned for it, so that it finds too few
    assert len(shop.recommend(some, k=toy.n_items)) == len(best)


def test_tuning_reaches_the_recall() -> None:
    vectors = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
    exact, index = build_index(vectors, "exact"), build_index(vectors, "ivf")
    index.effort = 1
    low = recall(index, exact, vectors[:100], 10)
    assert low < 0.9 < 0.95 <= tune(index, exact, vectors[:100], 10)
    assert index.effort > 1


@pytest.mark.usefixtures("without_graphs")
def test_unknown_rows_and_padding_stay_out_of_a_bundle(toy: RecDataModule, tmp_path: Path) -> None:
    export_model(make("sasrec", toy), toy, tmp_path / "bundle")
    ids = json.loads((tmp_path / "bundle" / "items.json").read_text())
    assert len(ids) == toy.n_items - 1 == len(np.load(tmp_path / "bundle" / "item_vectors.npy"))
    catalog = mmrec.load(tmp_path / "bundle").catalog
    assert (catalog.split == 0).all()
    assert torch.equal(catalog.train.items, toy.catalog.train.items)
    assert catalog.item_table["raw_id"][PAD] == ""
    assert catalog.newest == toy.catalog.newest


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("name", ["sasrec_text_image", "mm_racl_kal_id"])
def test_added_items_are_in_the_bundle_and_more_can_be_added(name: str, toy: RecDataModule, tmp_path: Path) -> None:
    data, model = copy.copy(toy), make(name, toy)
    shop = mmrec.TrainedRecommender(model, toy)
    shop.add_items([NewItem("new1", text="gecko collection leather hat")])
    data.catalog, data.features = shop.catalog, shop.features
    encoder = {"class_path": "mmrec.data.features.encoders.HandcraftedEncoder"}
    export_model(model, data, tmp_path / "bundle", encoder=encoder)
    opened = mmrec.load(tmp_path / "bundle")
    history = [*histories(toy)[0], "new1"]
    assert opened.recommend(history, k=300) == shop.recommend(history, k=300)
    assert "new1" in {one.item for one in opened.recommend(history[:-1], k=300)}
    for one in (shop, opened):
        one.add_items([NewItem("new2", text="stork collection silk trousers")])
    assert opened.recommend(history, k=300) == shop.recommend(history, k=300)
    assert "new2" in {one.item for one in opened.recommend(history, k=300)}


@pytest.mark.slow
def test_every_form_ranks_as_lightning_test(
    toy: RecDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rank of every held-out item of the toy shop, from the run, the bundle, ONNX and HTTP alike."""
    monkeypatch.chdir(tmp_path)
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    quiet = ["--tracking.wandb", "false", "--trainer.enable_progress_bar", "false", "--explain", "false"]
    main(["fit", "--data", "toy", "--model", "sasrec", "--trainer.max_epochs", "1", *data, *quiet])
    run = Path("runs/toy/sasrec/seed1")
    main(["export", str(run), "--to", "bundle"])
    ranks = pl.read_parquet(run / "test_ranks.parquet")
    assert (Path("bundle") / "README.md").read_text().count("ndcg@10") >= 1
    catalog = toy.catalog
    raw, users = catalog.item_table["raw_id"].to_list(), {one: row for row, one in enumerate(catalog.user_ids)}
    before, expected = [], []
    for user, item, rank in ranks.iter_rows():
        start = int(catalog.offsets[users[user]])
        whole = [raw[row] for row in catalog.items[start : int(catalog.offsets[users[user] + 1])].tolist()]
        before.append(whole[: whole.index(item)])
        expected.append((item, rank))
    asked = len(expected)
    assert asked == len(catalog.instances(Split.TEST))

    session = onnxruntime.InferenceSession("bundle/user_encoder.onnx", providers=["CPUExecutionProvider"])
    ids = json.loads(Path("bundle/items.json").read_text())
    rows = {one: place for place, one in enumerate(ids, start=1)}
    items = np.zeros((asked, max(map(len, before))), np.int64)
    for number, history in enumerate(before):
        items[number, : len(history)] = [rows[one] for one in history]
    scores = session.run(None, {"items": items})[0] @ np.load("bundle/item_vectors.npy").T
    for number, history in enumerate(before):
        scores[number, [rows[one] - 1 for one in history]] = -np.inf
    by_onnx = [1 + int((row > row[rows[item] - 1]).sum()) for row, (item, _) in zip(scores, expected, strict=True)]
    assert by_onnx == [rank for _, rank in expected]

    lists = {name: mmrec.load(name).recommend_many(before, k=len(ids)) for name in (str(run), "bundle")}
    with TestClient(build_app(ServeOptions(model="bundle")), base_url="http://127.0.0.1") as client:
        onnx = mmrec.load("bundle", runtime="onnx").recommend_many(before, k=len(ids))
        assert [made[int(rank) - 1].item for made, (_, rank) in zip(onnx, expected, strict=True)] == [
            item for item, _ in expected
        ]
        for number, (item, rank) in enumerate(expected):
            for made in lists.values():
                assert made[number][int(rank) - 1].item == item
            answer = client.post("/recommend", json={"history": before[number], "k": len(ids)}).json()["items"]
            assert answer[int(rank) - 1]["item"] == item
    assert lists[str(run)] == lists["bundle"]
