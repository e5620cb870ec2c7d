from dataclasses import replace
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from mmrec.metrics.ranking import ndcg
from mmrec.nn.history_scores import Histories
from tests.contracts.conftest import build

OFF = {"content_weight": 0.0, "co_occurrence_weight": 0.0, "popularity_weight": 0.0}


def test_scores_are_the_sum_of_four_parts(toy: RecDataModule) -> None:
    model = build("mm_racl_kal_id", toy).eval()
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    rows = torch.arange(len(batch.user))
    histories = Histories.of(batch, (rows, batch.lengths - 1))
    expected = model.interest_weight * model.encode_users(batch) @ model.item_vectors().T
    for name, graph in model.graphs.items():
        expected = expected + model.score_weights[name] * graph(histories)
    asked = batch.clock.query_time[rows, batch.lengths - 1]
    expected = expected + model.score_weights["popularity"] * model.popularity(asked)
    torch.testing.assert_close(model.score(batch), expected)
    assert set(model.graphs) == {"content", "co_occurrence"}


@pytest.mark.parametrize("name", list(OFF))
def test_every_score_changes_the_ranking_and_nothing_in_training(name: str, toy: RecDataModule) -> None:
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    plain, added = build("mm_racl_kal_id", toy, **OFF), build("mm_racl_kal_id", toy, **{**OFF, name: 30.0})
    assert plain.state_dict().keys() == added.state_dict().keys()
    losses = []
    for model in (plain, added):
        torch.manual_seed(0)
        losses.append(model.train().losses(next(iter(toy.train_dataloader())))["loss"])
    assert torch.equal(*losses)
    assert not torch.equal(plain.eval().ranks(batch), added.eval().ranks(batch))


def test_without_its_scores_it_is_mm_racl_kal(toy: RecDataModule) -> None:
    options = {"item_id": True, "replace_prob": 0.0, "beta": 0.0, "static_user": "none", "hidden_dim": 64}
    ours = build("mm_racl_kal_id", toy, **OFF, **options, features_first=False, heads=1, interest_weight=1.0)
    plain = build("mm_racl_kal", toy, **options)
    own = {"factors", "unseen.offset"}
    plain.load_state_dict({name: value for name, value in ours.state_dict().items() if name not in own})
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    torch.testing.assert_close(ours.eval().score(batch), plain.eval().score(batch))


def test_the_neighbours_of_the_content_scores_are_evidence(toy: RecDataModule) -> None:
    model = build("mm_racl_kal_id", toy).eval()
    graph = model.graphs["content"]
    near = model.neighbours()
    assert near.shape == (toy.n_items, 10)
    best = graph.weight[1].argmax()
    assert near[1, 0] == graph.neighbour[1, best]
    assert model.train().neighbours() is None
    assert build("mm_racl_kal_id", toy, content_weight=0.0).eval().neighbours() is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content_weight": -1.0}, "content_weight must be at least 0"),
        ({"score_decay": 0.0}, "score_decay must be above 0"),
        ({"popularity_days": 0.0}, "popularity_days must be above 0"),
        ({"unseen_cost": 1.0}, "unseen_cost must be at least 0 and below 1"),
        ({"text": False, "image": False, "features_first": False}, "content_weight needs text or image"),
    ],
)
def test_a_wrong_option_is_named(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("mm_racl_kal_id", toy, **changes)


def test_weights_that_drown_the_network_are_reduced_on_held_out_instances(toy: RecDataModule) -> None:
    model = build("mm_racl_kal_id", toy, popularity_weight=1000.0).eval()
    before = model.score_weights
    batches = list(toy.sample(Split.VALID, 200))
    assert sum(len(batch.target) for batch in batches) <= 200
    model.choose_factors(batches)
    after = model.score_weights
    assert after["popularity"] < before["popularity"]
    again = build("mm_racl_kal_id", toy, popularity_weight=1000.0)
    again.load_state_dict(model.state_dict())
    assert again.score_weights == after


def test_factors_are_fitted_before_a_validation_of_fit(toy: RecDataModule) -> None:
    trained = []
    for fitted in (True, False):
        model = build("mm_racl_kal_id", toy, popularity_weight=1000.0, fit_weights=fitted)
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1, limit_train_batches=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(model, datamodule=toy)
        trained.append(model.score_weights["popularity"])
    assert trained[0] < trained[1] == 1000.0


def test_unseen_items_have_their_formula_and_cost_the_others_a_stated_share(toy: RecDataModule, tmp_path: Path) -> None:
    options = replace(toy.options, hold_out_items=0.2)
    data = RecDataModule(toy.source, prepare=options, encoder=toy.encoder, root=str(tmp_path), max_length=8)
    model = build("mm_racl_kal_id", data, unseen_cost=0.05).eval()
    items, batches = model.unseen.items, list(data.eval_dataloader(Split.VALID))
    assert torch.equal(items, (data.catalog.train.popularity == 0).nonzero().squeeze(1)[1:])
    assert set(items.tolist()) == set(model.unseen.stand_ins.tolist())
    with torch.no_grad():
        model.item_encoder.id.weight[items] = 0.0  # as for stand-ins

    model.choose_factors(batches)
    rows = torch.arange(len(batches[0].user))
    content = model.graphs["content"](Histories.of(batches[0], (rows, batches[0].lengths - 1)))[:, items]
    interest = model.interest_weight * model.encode_users(batches[0]) @ model.item_vectors()[items].T
    scores, weight = model.score(batches[0])[:, items], model.configured_weights["content"]
    places = interest + model.score_weights["content"] * content + model.unseen.offset
    best = (0.5 * interest + weight * content).argmax(dim=1)
    torch.testing.assert_close(scores.sort().values, places.sort().values)
    torch.testing.assert_close(scores.gather(1, best[:, None])[:, 0], places.amax(dim=1))

    def quality() -> float:
        seen = [~torch.isin(batch.target, items) for batch in batches]
        ranks = [model.ranks(batch)[kept] for batch, kept in zip(batches, seen, strict=True)]
        return ndcg(torch.cat(ranks), 10).mean().item()

    with_cost = quality()
    model.unseen.offset.fill_(-100.0)
    assert 0.95 * quality() <= with_cost <= quality()
