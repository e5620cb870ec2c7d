import pytest
import torch
from torch_geometric.nn import LGConv

from mmrec.batch import PairBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from mmrec.models.lightgcn import LightGCN
from tests.contracts.conftest import build


def batch_of(data: RecDataModule) -> PairBatch:
    return next(iter(data.train_loader("pairs")))


@pytest.mark.parametrize("name", ["lightgcn", "text_lightgcn"])
def test_loss_and_gradients_equal_pytorch_geometric(name: str, toy: RecDataModule) -> None:
    model, batch, view = build(name, toy, layers=2, l2=0.1), batch_of(toy), toy.catalog.train
    user, positive, negative = batch.user, batch.positive, batch.negative
    ego_users, ego_items = model.ego()
    edges = torch.unique(torch.stack([view.users, view.items + toy.n_users]), dim=1)
    both, conv = torch.cat([edges, edges.flip(0)], dim=1), LGConv()
    layers = [torch.cat([ego_users, ego_items])]
    for _ in range(2):
        layers.append(conv(layers[-1], both))
    users, items = ((layers[0] + layers[1] + layers[2]) / 3).split([toy.n_users, toy.n_items])
    margin = (users[user] * items[positive]).sum(1) - (users[user] * items[negative]).sum(1)
    squares = ego_users[user] ** 2 + ego_items[positive] ** 2 + ego_items[negative] ** 2
    expected = -margin.sigmoid().log().mean() + 0.1 * squares.sum() / 2 / len(user)

    loss = model.losses(batch)["loss"]
    torch.testing.assert_close(loss, expected)
    parameters = list(model.parameters())
    ours, theirs = torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-7)


def test_without_layers_it_is_matrix_factorisation(toy: RecDataModule) -> None:
    model, batch = build("lightgcn", toy, layers=0), next(iter(toy.eval_dataloader(Split.VALID)))
    ids = model.item_encoder.id.weight.clone()
    ids.data[0] = 0
    torch.testing.assert_close(model.score(batch), model.user_embedding(batch.user) @ ids.T)


@pytest.mark.parametrize("name", ["text", "image"])
def test_an_items_ego_embedding_is_its_feature_alone(name: str, toy: RecDataModule) -> None:
    model = build(f"{name}_lightgcn", toy)
    encoder = model.item_encoder
    features, weight = encoder.features.rows(name), getattr(encoder, f"{name}_projection").weight
    torch.testing.assert_close(model.ego()[1], features @ weight.T)
    assert {key for key, _ in model.named_parameters()} == {
        "user_embedding.weight", f"item_encoder.{name}_projection.weight"
    }  # fmt: skip


@torch.no_grad()
def test_an_evaluation_propagates_once(toy: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = build("lightgcn", toy), []
    propagate = model.graph.forward
    monkeypatch.setattr(model.graph, "forward", lambda *x: calls.append(1) or propagate(*x))
    model.begin_evaluation()
    for batch in toy.eval_dataloader(Split.VALID):
        model.ranks(batch)
    assert len(calls) == 1
    model.end_evaluation()
    model.losses(batch_of(toy))
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item_id": False}, "item_id, text and image are all false"),
        ({"layers": -1}, "layers must be at least 0"),
        ({"l2": -1.0}, "l2 must be at least 0"),
        ({"lr": 0.0}, "lr must be above 0"),
    ],
)
def test_contradictory_options_are_refused(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("lightgcn", toy, **changes)


def test_defaults_are_those_of_the_paper() -> None:
    model = LightGCN(n_users=3, n_items=4)
    assert (model.hparams["layers"], model.hparams["hidden_dim"]) == (3, 64)
    assert (model.hparams["l2"], model.hparams["lr"]) == (1e-4, 1e-3)
