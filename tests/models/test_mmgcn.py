import pytest
import torch
from torch.nn import functional as F

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from mmrec.models.mmgcn import MMGCN
from tests.contracts.conftest import build


def dense_reference(model: MMGCN, data: RecDataModule, combination: str) -> torch.Tensor:
    """The paper's formulas with one dense adjacency of all users and items."""
    size = data.n_users + data.n_items
    adjacency = torch.zeros(size, size)
    for user in range(data.n_users):
        for item in data.catalog.train.items[data.catalog.train.offsets[user] : data.catalog.train.offsets[user + 1]]:
            adjacency[user, data.n_users + item] = adjacency[data.n_users + item, user] = 1
    mean = adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)
    representations = []
    for name, modality in model.modalities.items():
        w = dict(modality.named_parameters())
        feature = getattr(model.features, name) @ w["projection.weight"].T + w["projection.bias"]
        x = torch.cat([w["preference"], feature])
        x = x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
        for k in range(2):
            h = F.leaky_relu(mean @ x @ w[f"layers.{k}.aggregate.weight"].T)
            own = F.leaky_relu(x @ w[f"layers.{k}.transform.weight"].T + w[f"layers.{k}.transform.bias"])
            own = own + model.ids.weight
            w3, b3 = w[f"layers.{k}.combine.weight"], w[f"layers.{k}.combine.bias"]
            if combination == "concatenation":
                x = F.leaky_relu(h @ w3[:, : h.shape[1]].T + own @ w3[:, h.shape[1] :].T + b3)
            else:
                x = F.leaky_relu(h @ w3.T + b3 + own)
        representations.append(x)
    return sum(representations) / len(representations)


@pytest.mark.parametrize("combination", ["concatenation", "sum"])
@pytest.mark.parametrize("text", [True, False])
def test_score_loss_and_gradients_equal_a_dense_reference(combination: str, text: bool, toy: RecDataModule) -> None:
    model = build("mmgcn", toy, combination=combination, text=text, hidden_dim=8, l2=0.1)
    users, items = dense_reference(model, toy, combination).split([toy.n_users, toy.n_items])
    held_out = next(iter(toy.eval_dataloader(Split.VALID)))
    torch.testing.assert_close(model.score(held_out), users[held_out.user] @ items.T)

    batch = next(iter(toy.train_loader("pairs")))
    u, i, j = batch.user, batch.positive, batch.negative
    margin = (users[u] * (items[i] - items[j])).sum(1)
    ids = model.ids.weight
    chosen = [ids[u], ids[toy.n_users + i], ids[toy.n_users + j]]
    chosen += [modality.preference[u] for modality in model.modalities.values()]
    expected = -margin.sigmoid().log().mean() + 0.1 * sum(x.square().sum() for x in chosen) / 2 / len(u)
    loss = model.losses(batch)["loss"]
    torch.testing.assert_close(loss, expected)
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), rtol=1e-4, atol=1e-6
    )


def test_each_modality_has_its_own_graph_and_shares_the_ids(toy: RecDataModule) -> None:
    assert set(build("mmgcn", toy).modalities) == {"text", "image"}
    names = {name.split(".")[0] for name, _ in build("mmgcn", toy, text=False).named_parameters()}
    assert names == {"ids", "modalities"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"layers": 0}, "layers must be at least 1"), ({"text": False, "image": False}, "text and image are both false")],
)
def test_options_out_of_range_are_refused(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("mmgcn", toy, **changes)
