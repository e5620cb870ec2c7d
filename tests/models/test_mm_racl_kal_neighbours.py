import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from mmrec.nn.history_scores import Histories
from tests.contracts.conftest import build

OFF = {"content_weight": 0.0, "co_occurrence_weight": 0.0, "popularity_weight": 0.0}


def test_scores_are_the_sum_of_four_parts(toy: RecDataModule) -> None:
    model = build("mm_racl_kal_id", toy).eval()
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    rows = torch.arange(len(batch.user))
    histories = Histories.of(batch, (rows, batch.lengths - 1))
    expected = model.interest_scale * model.encode_users(batch) @ model.item_vectors().T
    for name, graph in model.graphs.items():
        expected = expected + model.starts[name] * graph(histories).dense(*expected.shape)
    asked = batch.clock.query_time[rows, batch.lengths - 1]
    expected = expected + model.starts["popularity"] * model.popularity.table[model.popularity.period(asked)]
    torch.testing.assert_close(model.score(batch), expected)
    assert set(model.graphs) == {"content", "co_occurrence"}


@pytest.mark.parametrize("name", list(OFF))
def test_every_score_changes_the_ranking_and_has_a_weight_that_learns(name: str, toy: RecDataModule) -> None:
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    plain, added = build("mm_racl_kal_id", toy, **OFF), build("mm_racl_kal_id", toy, **{**OFF, name: 30.0})
    added.load_state_dict(plain.state_dict(), strict=False)
    assert not torch.equal(plain.eval().ranks(batch), added.eval().ranks(batch))
    added.train().losses(next(iter(toy.train_dataloader())))["loss"].backward()
    assert added.factors[name.removesuffix("_weight")].grad.item() != 0


def test_items_of_the_window_are_not_negatives(toy: RecDataModule) -> None:
    """With all items but the target in the windows, nothing would be left to rank below it."""
    model = build("mm_racl_kal_id", toy, **OFF, dropout=0.0, beta=0.0, replace_prob=0.0)
    batch = next(iter(toy.train_dataloader()))
    place = batch.places()
    vectors = model.item_vectors()
    states = torch.zeros(len(place[0]), vectors.shape[1])
    loss = model.recommendation_loss(batch, place, states, vectors)
    known = torch.tensor([float(len(batch.items[row, : at + 1].unique())) for row, at in zip(*place, strict=True)])
    torch.testing.assert_close(loss, (toy.n_items - 1 - known).log().mean(), rtol=1e-4, atol=1e-4)


def test_without_its_scores_it_scores_as_mm_racl_kal(toy: RecDataModule) -> None:
    options = {"item_id": True, "replace_prob": 0.0, "beta": 0.0, "static_user": "none"}
    ours = build("mm_racl_kal_id", toy, **OFF, **options, features_first=False, hidden_dim=64, interest_scale=1.0)
    plain = build("mm_racl_kal", toy, **options)
    plain.load_state_dict({name: value for name, value in ours.state_dict().items() if name != "interest_scale"})
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    torch.testing.assert_close(ours.eval().score(batch), plain.eval().score(batch))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content_weight": -1.0}, "content_weight must be at least 0"),
        ({"score_decay": 0.0}, "score_decay must be above 0"),
        ({"popularity_days": 0.0}, "popularity_days must be above 0"),
        ({"text": False, "image": False, "features_first": False}, "content_weight needs text or image"),
    ],
)
def test_a_wrong_option_is_named(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("mm_racl_kal_id", toy, **changes)
