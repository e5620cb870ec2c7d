from types import SimpleNamespace

import pytest
import torch

from mmrec.errors import InvalidArgument
from mmrec.nn.item_encoder import ItemEncoder, ItemInputs

PRESENT = {"text": torch.tensor([0, 1, 1, 0, 0]).bool(), "image": torch.tensor([0, 1, 0, 1, 0]).bool()}


def features(present: dict[str, torch.Tensor]) -> SimpleNamespace:
    widths = {"text": 3, "image": 6}
    rows = {name: torch.randn(5, width).numpy() for name, width in widths.items()}
    return SimpleNamespace(transforms=None, **rows, **{f"{name}_present": has.numpy() for name, has in present.items()})


def encoder(**switches: float) -> ItemEncoder:
    torch.manual_seed(0)
    made = ItemEncoder(5, 4, ItemInputs(**{"text": True, "image": True, "text_dim": 3, "image_dim": 6, **switches}))
    made.attach(features(PRESENT))
    return made


def test_alpha_and_its_rules_for_missing_modalities() -> None:
    model = encoder()
    torch.nn.init.constant_(model.alpha_logit, 1.0)
    e, text, image = model()
    alpha = torch.sigmoid(torch.tensor(1.0))
    torch.testing.assert_close(e[1], alpha * text[1] + (1 - alpha) * image[1])
    torch.testing.assert_close(e[2], text[2])  # no image: alpha = 1
    torch.testing.assert_close(e[3], image[3])  # no text: alpha = 0
    assert not e[4].any()  # neither
    assert not e[0].any()  # padding


def test_with_ids_training_starts_at_the_plain_id_model() -> None:
    model = encoder(item_id=True)
    torch.testing.assert_close(model().fused[1:], model.id.weight[1:])
    assert not model().fused[0].any()
    model().fused.pow(2).sum().backward()
    assert model.text_gate.grad != 0
    assert model.image_gate.grad != 0


@pytest.mark.parametrize("off", ["text", "image"])
def test_one_modality_alone(off: str) -> None:
    model = encoder(**{off: False})
    kept = "image" if off == "text" else "text"
    assert model.alpha is None
    assert torch.equal(model().fused.any(dim=1), PRESENT[kept])


def test_features_first_starts_at_the_features() -> None:
    model = encoder(item_id=True, features_first=True)
    e, text, image = model()
    torch.testing.assert_close(e[1:], (text + image)[1:] + model.id.weight[1:])
    assert model.id.weight.std() < model.text_projection.weight.std() / 10
    first = model.features.rows("text")[:, : text.shape[1]]
    torch.testing.assert_close(text[:, : first.shape[1]], first)


IDS_ALONE = {"item_id": True, "text": False, "image": False}


@pytest.mark.parametrize("options", [{}, IDS_ALONE])
def test_features_first_needs_ids_and_features(options: dict) -> None:
    with pytest.raises(InvalidArgument, match="features_first needs item_id and one of text and image"):
        encoder(features_first=True, **options)


def test_contradictory_switches_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="item_id, text and image are all false"):
        ItemInputs()
    with pytest.raises(InvalidArgument, match=r"image: false"):
        ItemEncoder(5, 4, ItemInputs(text=True, image=True, text_dim=3))


@pytest.mark.parametrize("count", [0, 1])
def test_a_modality_that_no_item_or_one_item_has(count: int) -> None:
    model, present = encoder(), torch.arange(5).eq(2) if count else torch.zeros(5, dtype=torch.bool)
    model.attach(features({**PRESENT, "image": present}))
    assert torch.equal(model.features.rows("image").any(dim=1), present)
    assert model().fused.isfinite().all()
