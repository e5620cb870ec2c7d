"""What a trained model answers, against the lists that `predict` makes of the same data."""

import copy
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import pytorch_lightning as lightning
import torch

import mmrec
from mmrec.cli.main import main
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.transforms import FeatureTransforms
from mmrec.errors import InvalidArgument
from tests.contracts.conftest import build


@pytest.fixture(scope="module")
def trained(toy: RecDataModule) -> mmrec.TrainedRecommender:
    torch.manual_seed(0)
    model = mmrec.MMRaclKal.for_data(toy)
    model.attach(toy.catalog, toy.features)
    return mmrec.TrainedRecommender(model, toy)


def histories(data: RecDataModule) -> list[list[str]]:
    raw = data.catalog.item_table["raw_id"].to_list()
    offsets = data.catalog.offsets.tolist()
    return [[raw[i] for i in data.catalog.items[a:b].tolist()] for a, b in pairwise(offsets)]


def test_lists_equal_those_of_predict_for_every_user(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    expected: dict[int, list[str]] = {}
    trained.model.begin_evaluation()
    for batch in toy.predict_dataloader():
        with torch.inference_mode():
            _, items = trained.model.recommend(batch, 5)
        raw = toy.catalog.item_table["raw_id"]
        expected |= {u: raw.gather(row).to_list() for u, row in zip(batch.user.tolist(), items.tolist(), strict=True)}
    trained.model.end_evaluation()
    lists = trained.recommend_many(histories(toy), k=5)
    assert [[one.item for one in made] for made in lists] == [expected[user] for user in range(toy.n_users)]


def test_one_history_gets_the_list_of_a_batch(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    some = histories(toy)[:3]
    together = trained.recommend_many(some, k=4)
    for history, made in zip(some, together, strict=True):
        alone = trained.recommend(history, k=4)
        assert [one.item for one in alone] == [one.item for one in made]
        np.testing.assert_allclose([one.score for one in alone], [one.score for one in made], rtol=1e-4)


def test_a_frame_gives_the_lists_of_its_users(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    some = histories(toy)[:2]
    frame = pl.DataFrame({"user": ["b"] * len(some[0]) + ["a"] * len(some[1]), "item": some[0] + some[1]})
    assert trained.recommend_many(frame, k=3) == trained.recommend_many(some, k=3)


def test_candidates_exclusions_and_filters_hold(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    history = histories(toy)[0]
    best = [one.item for one in trained.recommend(history, k=6)]
    assert [one.item for one in trained.recommend(history, k=5, exclude=best[:1])] == best[1:]
    assert [one.item for one in trained.recommend(history, k=6, candidates=[best[4], best[2], "?"])] == [
        best[2], best[4]
    ]  # fmt: skip
    kept = trained.recommend(history, k=6, filter=lambda items: items["item"].is_in(best[3:]))
    assert [one.item for one in kept] == best[3:]
    assert not set(history) & {one.item for one in trained.recommend(history, k=toy.n_items)}


def test_unknown_ids_are_left_out_and_long_histories_keep_their_newest(
    trained: mmrec.TrainedRecommender, toy: RecDataModule
) -> None:
    history = histories(toy)[0]
    assert trained.recommend([history[0], "unknown", *history[1:]]) == trained.recommend(history)
    assert len(trained.recommend(history * 20, k=3)) == 3


def test_an_empty_history_gets_the_most_popular_items(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    popular = toy.catalog.train.popularity.topk(3).values.tolist()
    assert [one.score for one in trained.recommend(["unknown"], k=3)] == popular


def test_items_of_equal_scores_are_in_the_order_of_the_catalogue(
    trained: mmrec.TrainedRecommender, toy: RecDataModule
) -> None:
    ids = trained.items["item"].to_list()
    whole = trained.recommend([], k=len(ids))
    assert whole == sorted(whole, key=lambda one: (-one.score, ids.index(one.item)))
    assert trained.rank([], ids[::-1]) == whole
    for k in (3, 10, 40):
        assert trained.recommend([], k=k) == whole[:k]
        assert trained.recommend([], k=k, candidates=ids[::-1]) == whole[:k]
        assert trained.answer([trained.ask([], k), trained.ask(ids[:1], 100)])[0] == whole[:k]
    alike = mmrec.SASRec.for_data(toy)
    torch.nn.init.ones_(alike.item_encoder.id.weight)
    assert [one.item for one in mmrec.TrainedRecommender(alike, toy).similar(ids[90], k=3)] == ids[:3]


def test_given_items_are_ranked_by_their_scores(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    history = histories(toy)[0]
    best = trained.recommend(history, k=5)
    ranked = trained.rank(history, [one.item for one in reversed(best)])
    assert [one.item for one in ranked] == [one.item for one in best]
    assert history[0] in {one.item for one in trained.rank(history, [history[0], best[0].item])}


def test_scores_are_products_of_the_exported_vectors(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    some = histories(toy)[:4]
    ids, items = trained.item_vectors()
    scores = trained.user_vectors(some) @ items.T
    for row, history in enumerate(some):
        scores[row, [ids.index(item) for item in history]] = -np.inf
        assert ids[int(scores[row].argmax())] == trained.recommend(history, k=1)[0].item


def test_similar_items_are_the_nearest_by_cosine(trained: mmrec.TrainedRecommender) -> None:
    ids, vectors = trained.item_vectors()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = (unit @ unit[7]).argsort()[::-1]
    assert [one.item for one in trained.similar(ids[7], k=3)] == [ids[i] for i in nearest if i != 7][:3]


def test_an_explanation_has_its_statements_and_takes_at_most_20_milliseconds(
    trained: mmrec.TrainedRecommender, toy: RecDataModule
) -> None:
    history = histories(toy)[3]
    listed = trained.recommend(history, k=20)
    first = trained.explain(history, listed[0].item)  # what is computed once for a catalogue
    assert first.text == " ".join(sentence.text for sentence in first.sentences)
    assert {name for one in first.sentences for name in one.statements} <= {one.id for one in first.statements}
    assert trained.explain([], listed[0].item).text
    seconds = []
    for one in listed:
        start = time.thread_time()  # other work on the machine does not count
        trained.explain(history, one.item)
        seconds.append(time.thread_time() - start)
    assert sorted(seconds)[len(seconds) // 2] < 0.02
    with pytest.raises(InvalidArgument, match="'nothing' is not in the catalogue"):
        trained.explain(history, "nothing")


def test_a_model_with_a_vector_per_user_needs_a_known_one(toy: RecDataModule) -> None:
    model = mmrec.LightGCN.for_data(toy)
    model.attach(toy.catalog, toy.features)
    shop = mmrec.TrainedRecommender(model, toy)
    history, user = histories(toy)[5], toy.catalog.user_ids[5]
    assert len(shop.recommend(history, k=2, user=user)) == 2
    with pytest.raises(InvalidArgument, match="LightGCN has a vector per user"):
        shop.recommend(history)
    with pytest.raises(InvalidArgument, match="user 'nobody' is not among the 800 users"):
        shop.recommend(history, user="nobody")


def test_users_of_a_frame_and_of_a_list_are_named(toy: RecDataModule) -> None:
    model = mmrec.LightGCN.for_data(toy)
    model.attach(toy.catalog, toy.features)
    shop = mmrec.TrainedRecommender(model, toy)
    users, some = toy.catalog.user_ids[:2], histories(toy)[:2]
    frame = pl.DataFrame({"user": [users[0]] * len(some[0]) + [users[1]] * len(some[1]), "item": some[0] + some[1]})
    lists = shop.recommend_many(some, k=3, users=users)
    assert shop.recommend_many(frame, k=3) == lists
    for items, user, made in zip(some, users, lists, strict=True):
        assert [one.item for one in shop.recommend(items, k=3, user=user)] == [one.item for one in made]
    assert shop.user_vectors(some, users=users).shape == (2, shop.item_vectors()[1].shape[1])
    with pytest.raises(InvalidArgument, match="users must be one user per history"):
        shop.recommend_many(some, users=users[:1])


def test_a_static_interest_by_user_is_never_that_of_another_user(toy: RecDataModule) -> None:
    model = mmrec.MMRaclKal.for_data(toy, static_user="node")
    model.attach(toy.catalog, toy.features)
    with pytest.raises(InvalidArgument, match="MMRaclKal has a vector per user"):
        mmrec.TrainedRecommender(model, toy).recommend(histories(toy)[0])


def test_a_model_that_has_answered_trains_as_if_it_had_not(toy: RecDataModule) -> None:
    trained = []
    for asked in (False, True):
        lightning.seed_everything(0)
        model = mmrec.SASRec.for_data(toy, hidden_dim=8)
        model.attach(toy.catalog, toy.features)
        if asked:
            mmrec.TrainedRecommender(model, toy).recommend(histories(toy)[0])
        lightning.seed_everything(1)
        trainer = lightning.Trainer(
            max_steps=3, limit_val_batches=0, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, accelerator="cpu",
        )  # fmt: skip
        trainer.fit(model, datamodule=toy)
        trained.append(model.item_vectors())
    torch.testing.assert_close(trained[0], trained[1], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["popularity", "itemknn", "ease"])
def test_a_model_without_vectors_refuses_to_answer_by_them(name: str, toy: RecDataModule) -> None:
    shop = mmrec.TrainedRecommender(build(name, toy), toy)
    ids = shop.items["item"].to_list()
    assert len(shop.recommend(ids[:2], k=3)) == 3
    for ask in (lambda: shop.similar(ids[0]), shop.item_vectors, lambda: shop.user_vectors([ids[:2]])):
        with pytest.raises(InvalidArgument, match=f"{type(shop.model).__name__} has no (item )?vectors: it scores"):
            ask()


def test_an_item_without_a_vector_is_similar_to_none(toy: RecDataModule) -> None:
    model = mmrec.SASRec.for_data(toy)
    model.attach(toy.catalog, toy.features)
    with torch.no_grad():
        model.item_encoder.id.weight[5] = 0.0
    shop = mmrec.TrainedRecommender(model, toy)
    ids = shop.item_vectors()[0]
    assert not shop.similar(ids[4])
    assert {one.item for one in shop.similar(ids[0], k=len(ids))} == {*ids} - {ids[0], ids[4]}


def test_an_attribute_called_item_does_not_hide_the_ids(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    data, catalog = copy.copy(toy), copy.copy(toy.catalog)
    catalog.item_table = toy.catalog.item_table.with_columns(attributes=pl.lit('{"item": "2 pack"}'))
    data.catalog = catalog
    items = mmrec.TrainedRecommender(trained.model, data).items
    assert items["item"].to_list() == toy.catalog.item_table["raw_id"].to_list()[1:]
    assert set(items["attribute item"]) == {"2 pack"}


def test_ids_have_one_spelling(trained: mmrec.TrainedRecommender, toy: RecDataModule) -> None:
    history = histories(toy)[0]
    assert trained.recommend([f" {one}\u200b" for one in history]) == trained.recommend(history)


def test_a_wrong_question_names_the_argument(trained: mmrec.TrainedRecommender) -> None:
    with pytest.raises(InvalidArgument, match="k must be at least 1"):
        trained.recommend([], k=0)
    with pytest.raises(InvalidArgument, match="history must be a list of item ids"):
        trained.recommend("B0001")
    with pytest.raises(InvalidArgument, match="'nothing' is not in the catalogue, whose ids look like"):
        trained.similar("nothing")
    with pytest.raises(InvalidArgument, match="times must be one time per item"):
        trained.recommend(["a", "b"], times=[1])
    with pytest.raises(InvalidArgument, match="filter asks for a column that is not in item, title, text"):
        trained.recommend([], filter=lambda items: items["kind of thing"] == "hat")
    for argument in ("candidates", "exclude"):
        with pytest.raises(InvalidArgument, match=f"{argument} must be a list of item ids, but is the text '12'"):
            trained.recommend([], **{argument: "12"})
    assert trained.user_vectors([]).shape == (0, trained.item_vectors()[1].shape[1])


def test_a_run_opens_as_it_was_tested(tmp_path: Path, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = ["--data.root", str(toy.root), "--data.source.init_args.path", toy.source.path]
    quiet = ["--tracking.wandb", "false", "--trainer.enable_progress_bar", "false", "--explain", "false"]
    main(["fit", "--data", "toy", "--model", "mm_racl_kal", "--trainer.max_epochs", "1", *data, *quiet])
    main(["predict", "--data", "toy", "--model", "mm_racl_kal", *data, *quiet])
    lists = pl.read_parquet("runs/toy/mm_racl_kal/seed1/recommendations.parquet").sort("user", "rank")
    run = Path("runs/toy/mm_racl_kal/seed1")
    shop = mmrec.load(run)
    kept = FeatureTransforms.load(run / "transforms.npz")
    assert torch.equal(kept.modalities["text"].centring.mean, shop.model.item_encoder.features.text_mean)
    user = toy.catalog.user_ids[11]
    made = shop.recommend(histories(toy)[11])
    assert [one.item for one in made] == lists.filter(pl.col("user") == user)["item"].to_list()


def test_a_model_trained_in_python_answers(tmp_path: Path) -> None:
    """The lines of the README."""
    rows = [f"c{c},{(c + step) % 7},2024-01-{step + 1:02d}" for c in range(30) for step in range(5)]
    orders = tmp_path / "orders.csv"
    orders.write_text("customer,article,day\n" + "\n".join(rows) + "\n")
    products = tmp_path / "products.csv"
    products.write_text("article,name,kind\n" + "".join(f"{i},Hat {i},warm felt hat {i}\n" for i in range(7)))

    source = mmrec.Tabular(
        str(orders), user="customer", item="article", time="day", name="my-shop",
        items=mmrec.ItemRecords(files=str(products), title="name", text="{name}. {kind}"),
    )  # fmt: skip
    data = mmrec.prepare(
        source, mmrec.HandcraftedEncoder(), root=str(tmp_path / "data"),
        split="leave_one_out", item_core=5, require_image=False, whiten=6, max_length=50,
    )  # fmt: skip
    model = mmrec.shipped_model("mm_racl_kal_id", data, hidden_dim=16, lr=0.01)
    best = mmrec.BestCheckpoint()
    trainer = lightning.Trainer(
        max_epochs=8, callbacks=[best, mmrec.StopEarly()], default_root_dir=tmp_path, logger=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, ckpt_path=best.best_model_path, verbose=False)
    shop = mmrec.TrainedRecommender(model, data)
    assert shop.recommend(["1", "2", "3"], k=1)[0].item == "4"
    assert shop.recommend(["1", "2", "3"], k=1)[0].title == "Hat 4"
