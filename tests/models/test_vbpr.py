import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from mmrec.models.vbpr import VBPR
from tests.contracts.conftest import build


def features_of(model: VBPR) -> torch.Tensor:
    return torch.cat([getattr(model.features, name) for name in model.features.modalities], dim=1)


@pytest.mark.parametrize("modalities", [("image",), ("text",), ("text", "image")])
def test_score_loss_and_gradients_equal_the_formulas_of_the_paper(
    modalities: tuple[str, ...], toy: RecDataModule
) -> None:
    options = {name: name in modalities for name in ("text", "image")}
    model = build("vbpr", toy, **options, hidden_dim=5, feature_dim=3, l2=0.1)
    for parameter in model.parameters():  # biases start at zero
        torch.nn.init.normal_(parameter, std=0.3)
    f, gamma_u, gamma_i = features_of(model), model.user_factors.weight, model.item_factors.weight
    theta, beta = model.user_tastes.weight, model.item_bias.weight[:, 0]
    visual = f @ model.projection.weight.T
    s = gamma_u @ gamma_i.T + theta @ visual.T + beta + f @ model.feature_bias.weight[0]

    held_out = next(iter(toy.eval_dataloader(Split.VALID)))
    torch.testing.assert_close(model.score(held_out), s[held_out.user])
    batch = next(iter(toy.train_loader("pairs")))
    u, i, j = batch.user, batch.positive, batch.negative
    squares = sum(x.square().sum() for x in (gamma_u[u], theta[u], gamma_i[i], gamma_i[j], beta[i], beta[j]))
    expected = -(s[u, i] - s[u, j]).sigmoid().log().mean() + 0.1 * squares / 2 / len(u)
    loss = model.losses(batch)["loss"]
    torch.testing.assert_close(loss, expected)
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), rtol=1e-4, atol=1e-6
    )


def test_features_are_fixed_and_not_in_the_checkpoint(toy: RecDataModule) -> None:
    model = build("vbpr", toy)
    assert not [name for name in model.state_dict() if name.startswith("features")]
    assert not [name for name, _ in model.named_parameters() if name.startswith("features")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"image": False}, "text and image are both false"), ({"feature_dim": 0}, "feature_dim must be at least 1")],
)
def test_options_out_of_range_are_refused(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("vbpr", toy, **changes)
