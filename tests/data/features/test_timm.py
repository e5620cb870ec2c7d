"""timm networks: batches against plain calls, local checkpoints, mistakes."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from mmrec.data.features.encoders import TimmEncoder
from mmrec.errors import UserError
from tests.data.features.encoding import encoded, illustrated_items

MODEL = "test_vit.r160_in1k"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return random weights with a classifier, as a file."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("timm") / "weights.pth"
    torch.save(timm.create_model(MODEL).state_dict(), file)
    return file


def encoder(checkpoint, model=MODEL, **options):
    return TimmEncoder(model, str(checkpoint), device="cpu", **options)


def test_batches_equal_plain_calls(checkpoint, tmp_path):
    network = timm.create_model(MODEL, checkpoint_path=str(checkpoint)).eval()
    settings = timm.data.resolve_data_config({}, model=network)
    assert settings["input_size"] == (3, 160, 160)
    transform = timm.data.create_transform(**settings)
    items = illustrated_items(tmp_path)
    with torch.no_grad():
        images = [transform(Image.open(items["image"][k]))[None] for k in (0, 1, 3, 4)]
        expected = [network.forward_head(network.forward_features(p), pre_logits=True)[0] for p in images]
    rows, vectors, rejected = encoded(encoder(checkpoint, batch_size=2), items, "image")
    assert rows.tolist() == [1, 2, 4, 5]
    np.testing.assert_allclose(vectors, torch.stack(expected), atol=1e-5)
    assert [fault.kind for fault in rejected] == ["unreadable image"]


def test_checkpoint_needs_every_weight_but_the_classifier(checkpoint, tmp_path):
    weights = torch.load(checkpoint)
    bare = {key: value for key, value in weights.items() if not key.startswith("head.")}
    assert 0 < len(bare) < len(weights)
    torch.save({"state_dict": bare}, tmp_path / "bare.pth")
    items = illustrated_items(tmp_path)
    same, whole = (encoded(encoder(file), items, "image")[1] for file in (tmp_path / "bare.pth", checkpoint))
    np.testing.assert_array_equal(same, whole)
    del bare["blocks.0.norm1.weight"]
    torch.save(bare, tmp_path / "gap.pth")
    with pytest.raises(UserError, match=r"gap.pth: cannot be loaded as test_vit.*Missing key.*norm1") as caught:
        encoded(encoder(tmp_path / "gap.pth"), items, "image")
    assert "\n" not in str(caught.value)


def test_revision_names_the_weights(checkpoint, tmp_path):
    other = tmp_path / "other.pth"
    other.write_bytes(checkpoint.read_bytes() + b"x")
    assert encoder(checkpoint).revision() != encoder(other).revision()
    assert encoder(checkpoint).options() != encoder(checkpoint, precision="bf16").options()


@pytest.mark.parametrize(
    ("model", "file", "message"),
    [
        ("efficientnet_lite00", None, "unknown model 'efficientnet_lite00' \\(did you mean [^)]*lite0\\?\\)"),
        ("test_vit.no_such_tag", None, "cannot get test_vit.no_such_tag"),
        ("test_resnet", "checkpoint", "cannot be loaded as test_resnet"),
    ],
)
def test_mistakes_are_named(checkpoint, tmp_path, model, file, message):
    mistaken = TimmEncoder(model, file and str(checkpoint), device="cpu")
    with pytest.raises(UserError, match=message):
        encoded(mistaken, illustrated_items(tmp_path), "image")


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"TimmEncoder: checkpoint .*absent.pth does not exist"):
        encoder(tmp_path / "absent.pth").revision()
