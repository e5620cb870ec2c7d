import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from tests.contracts.conftest import build

OFF = {"item_id": True, "text": False, "image": False, "replace_prob": 0.0, "static_user": "none", "beta": 0.0}


def test_it_is_mm_racl_kal_with_its_parts_off(toy: RecDataModule) -> None:
    plain, off = build("sasrec", toy, dropout=0.2), build("mm_racl_kal", toy, **OFF, dropout=0.2)
    plain.load_state_dict(
        {name.replace("dynamic.", "sequence_encoder."): value for name, value in off.state_dict().items()}
    )
    batch, held_out = next(iter(toy.train_dataloader())), next(iter(toy.eval_dataloader(Split.VALID)))
    losses = []
    for model in (plain, off):
        torch.manual_seed(0)  # seed of the dropout
        losses.append(model.losses(batch)["loss"])
        losses[-1].backward()
    assert torch.equal(*losses)
    for ours, theirs in zip(plain.parameters(), off.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)
    with torch.no_grad():
        assert torch.equal(plain.eval().score(held_out), off.eval().score(held_out))


@pytest.mark.parametrize("name", ["text", "image"])
def test_an_item_is_its_feature_alone(name: str, toy: RecDataModule) -> None:
    model = build(f"{name}_sasrec", toy)
    features = model.item_encoder.features.rows(name)
    assert features.any(dim=1).sum() > 10
    expected = features @ getattr(model.item_encoder, f"{name}_projection").weight.T
    torch.testing.assert_close(model.item_vectors(), expected)
    assert model.item_encoder.id is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item_id": False}, "item_id, text and image are all false"),
        ({"heads": 3}, r"heads must be a divisor of the width 64, but is 3"),
        ({"ffn_dim": 0}, "ffn_dim must be at least 1"),
        ({"layers": -1}, "layers must be at least 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"lr": 0.0}, "lr must be above 0"),
    ],
)
def test_contradictory_options_are_refused(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("sasrec", toy, **changes)
