"""OpenCLIP: batches against plain calls, settings of a tag, and the messages without weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrec.data.features.encoders import HandcraftedEncoder, JoinedEncoder, OpenClipEncoder
from mmrec.data.features.encoders.tower import text_tower
from mmrec.errors import InvalidArgument, UserError
from tests.data.features.encoding import encoded, illustrated_items

TINY = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the checkpoint of a small random CLIP, known to open_clip as `tiny-clip`."""
    open_clip, torch = pytest.importorskip("open_clip"), pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-clip.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-clip").state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


def tiny_encoder(weights, **options):
    defaults = {"architecture": "tiny-clip", "pretrained": None, "checkpoint": str(weights), "device": "cpu"}
    return OpenClipEncoder(**(defaults | options))


def one_by_one(checkpoint, items, **options):
    """The same by plain open_clip calls, one item at a time."""
    import open_clip
    import torch

    model, preprocess = open_clip.create_model_from_pretrained("tiny-clip", str(checkpoint), **options)
    tokenize = open_clip.get_tokenizer("tiny-clip")
    with torch.no_grad():
        texts = [model.encode_text(tokenize([t]), normalize=True)[0].numpy() for t in items["text"] if t]
        images = [
            model.encode_image(preprocess(Image.open(path))[None], normalize=True)[0].numpy()
            for path in items["image"]
            if Path(path).exists()
        ]
    return np.stack(texts), np.stack(images)


def test_open_clip_in_batches_equals_one_by_one(tiny, tmp_path):
    items, encoder = illustrated_items(tmp_path), tiny_encoder(tiny, batch_size=2)
    texts, images = one_by_one(tiny, items)
    rows, vectors, _ = encoded(encoder, items, "text")
    assert rows.tolist() == [1, 3, 4]
    np.testing.assert_allclose(vectors, texts, atol=1e-5)
    rows, vectors, rejected = encoded(encoder, items, "image")
    assert rows.tolist() == [1, 2, 4, 5]
    np.testing.assert_allclose(vectors, images, atol=1e-5)
    assert len(rejected) == 1
    assert encoder.modalities() == ("text", "image")


def test_text_tower_gives_a_text_the_vector_of_an_item_with_that_text(tiny, tmp_path):
    items, encoder = illustrated_items(tmp_path), tiny_encoder(tiny)
    vectors = encoded(encoder, items, "text")[1]
    strings = [text for text in items["text"] if text]
    for tower in (text_tower(encoder, 12), text_tower(JoinedEncoder(encoder, HandcraftedEncoder()), 12)):
        np.testing.assert_allclose(tower(strings * 20), np.tile(vectors, (20, 1)), atol=1e-5)


def test_open_clip_checkpoint_keeps_the_settings_of_its_tag(tiny, tmp_path, monkeypatch):
    import open_clip

    tag = {"quick_gelu": True, "mean": (0.1, 0.2, 0.3), "std": (1, 1, 1), "resize_mode": "squash"}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: tag)
    items = illustrated_items(tmp_path)
    settings = {"image_mean": (0.1, 0.2, 0.3), "image_std": (1, 1, 1), "image_resize_mode": "squash"}
    texts, images = one_by_one(tiny, items, force_quick_gelu=True, **settings)
    encoder = tiny_encoder(tiny, pretrained="tag")
    np.testing.assert_allclose(encoded(encoder, items, "text")[1], texts, atol=1e-5)
    np.testing.assert_allclose(encoded(encoder, items, "image")[1], images, atol=1e-5)
    assert np.abs(texts - one_by_one(tiny, items)[0]).max() > 1e-4


def test_open_clip_half_precision_is_close(tiny, tmp_path):
    items = illustrated_items(tmp_path)
    exact = encoded(tiny_encoder(tiny), items, "image")[1]
    half = encoded(tiny_encoder(tiny, precision="bf16"), items, "image")[1]
    assert 0 < np.abs(exact - half).max() < 0.02


def test_open_clip_revision_names_the_weights(tiny, tmp_path):
    other = tmp_path / "other.pt"
    other.write_bytes(tiny.read_bytes() + b"x")
    assert tiny_encoder(tiny).revision() != tiny_encoder(other).revision()
    assert "ViT-B-32/laion2b_s34b_b79k" in OpenClipEncoder().revision()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "ViT-Q-99"}, "unknown architecture 'ViT-Q-99'; choose one of: .*ViT-B-32,"),
        ({"architecture": "ViT-B-32", "pretrained": "mine"}, "no weights 'mine'; choose: .*laion2b_s34b_b79k"),
        ({"checkpoint": "broken.pt"}, "broken.pt: cannot be loaded as tiny-clip"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
    ],
)
def test_open_clip_mistakes_are_named(tiny, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    Path("broken.pt").write_bytes(b"no weights")
    with pytest.raises(UserError, match=message):
        encoded(tiny_encoder(tiny, **options), illustrated_items(tmp_path), "text")


def test_open_clip_without_network_says_what_to_do(tmp_path, monkeypatch):
    import open_clip

    def unreachable(settings):
        raise FileNotFoundError("Failed to download file\nLast error: no route")

    monkeypatch.setattr(open_clip, "download_pretrained", unreachable)
    with pytest.raises(UserError, match=r"huggingface\.co/laion/.*checkpoint FILE, or choose") as caught:
        encoded(OpenClipEncoder(device="cpu"), illustrated_items(tmp_path), "text")
    assert "\n" not in str(caught.value)


def test_open_clip_without_weights_is_refused():
    with pytest.raises(InvalidArgument, match="checkpoint must be a weights file where pretrained is null"):
        OpenClipEncoder(pretrained=None)
    with pytest.raises(UserError, match=r"absent.pt does not exist"):
        tiny_encoder("absent.pt").revision()
