"""Encoders on their own: what a vector is made of, and what is said when there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from jsonargparse import ArgumentParser
from PIL import Image, ImageDraw

from mmrec.data.encoders import FeatureEncoder, HandcraftedEncoder, OpenClipEncoder, PrecomputedEncoder
from mmrec.data.encoders.base import UnreadableImageError, image_batches, load_rgb
from mmrec.data.encoders.handcrafted import hashed_words, image_statistics
from mmrec.errors import UserError

COLOURS = {"red": (190, 30, 40), "green": (40, 140, 60), "navy": (20, 30, 100), "grey": (120, 120, 120)}
PATTERNS = ("plain", "stripes", "dots", "checks")
GARMENTS = ("dress", "trousers", "shirt")


def frame(texts=None, images=None, ids=None):
    n = len(texts or images or ids)
    return pl.DataFrame(
        {
            "item": np.arange(1, n + 1, dtype=np.int32),
            "raw_id": ids or [f"a{i}" for i in range(n)],
            "text": pl.Series(texts or [None] * n, dtype=pl.String),
            "image": pl.Series([None if i is None else str(i) for i in images or [None] * n], dtype=pl.String),
        }
    )


def encoded(encoder, items, modality):
    blocks = [block for block in encoder.encode(items) if block.modality == modality]
    rejected = [reason for block in blocks for reason in block.rejected]
    return np.concatenate([b.rows for b in blocks]), np.concatenate([b.vectors for b in blocks]), rejected


def draw(colour, pattern, garment, rng):
    """A product photo of 160 x 160: position, size, shade and pattern phase vary."""
    shade = tuple(int(np.clip(c + rng.integers(-15, 16), 0, 255)) for c in COLOURS[colour])
    cloth, ink = Image.new("RGB", (160, 160), shade), tuple(min(255, c + 90) for c in shade)
    pen, (px, py) = ImageDraw.Draw(cloth), rng.integers(0, 16, 2)
    for at in range(-16, 176, 16):
        if pattern in ("stripes", "checks"):
            pen.rectangle((0, at + py, 160, at + py + 6), fill=ink)
        if pattern == "checks":
            pen.rectangle((at + px, 0, at + px + 6, 160), fill=ink)
        for x in range(-16, 176, 16) if pattern == "dots" else ():
            pen.ellipse((x + px, at + py, x + px + 8, at + py + 8), fill=ink)
    outline = {
        "dress": [(65, 20), (95, 20), (100, 70), (130, 145), (30, 145), (60, 70)],
        "trousers": [(50, 20), (110, 20), (120, 145), (90, 145), (80, 60), (70, 145), (40, 145)],
        "shirt": [
            (20, 45),
            (55, 25),
            (105, 25),
            (140, 45),
            (130, 70),
            (110, 65),
            (110, 125),
            (50, 125),
            (50, 65),
            (30, 70),
        ],
    }[garment]
    dx, dy = rng.integers(-6, 7, 2)
    mask = Image.new("L", (160, 160))
    ImageDraw.Draw(mask).polygon([(x + dx, y + dy) for x, y in outline], fill=255)
    return Image.composite(cloth, Image.new("RGB", (160, 160), (245, 245, 245)), mask)


def test_colour_pattern_and_silhouette_are_linearly_decodable(tmp_path):
    rng, labels, files = np.random.default_rng(0), [], []
    for index in range(480):
        label = [rng.integers(4), rng.integers(4), rng.integers(3)]
        picture = draw(list(COLOURS)[label[0]], PATTERNS[label[1]], GARMENTS[label[2]], rng)
        files.append(tmp_path / f"{index}.jpg")
        picture.save(files[-1])
        labels.append(label)
    _, vectors, _ = encoded(HandcraftedEncoder(), frame(images=files), "image")
    for target, classes in zip(np.array(labels).T, (4, 4, 3), strict=True):
        inputs, hot = np.c_[vectors, np.ones(480)], np.eye(classes)[target]
        ridge = inputs[:320].T @ inputs[:320] + 1e-3 * np.eye(inputs.shape[1])
        guess = (inputs[320:] @ np.linalg.solve(ridge, inputs[:320].T @ hot[:320])).argmax(axis=1)
        assert (guess == target[320:]).mean() > 0.95


def test_image_statistics_stay_what_they_are():
    """A change here is a change of features: raise `HandcraftedEncoder.revision`."""
    pixels = (np.arange(2 * 64 * 64 * 6) * 7919 % 256).astype(np.uint8).reshape(2, 64, 64, 6)
    pixels[1, 16:48, 24:40] = (200, 40, 30, 2, 217, 200)
    vectors = image_statistics(pixels)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors @ np.cos(np.arange(248)), [0.127099, 0.148808], atol=1e-5)


def test_words_are_hashed_alike_everywhere():
    one, text = hashed_words("Cotton", 256), hashed_words("soft, COTTON shirt", 256)
    assert np.flatnonzero(one).tolist() == [101, 215]
    assert one @ text == pytest.approx(1 / np.sqrt(3), abs=1e-6)
    twice = hashed_words("cotton cotton silk", 256)
    assert twice @ one / (twice @ hashed_words("silk", 256)) == pytest.approx(1 + np.log(2))


def test_blank_and_wordless_texts_are_missing():
    rows, _, rejected = encoded(HandcraftedEncoder(), frame(texts=["red", None, "  ", "!?", "ÉTÉ"]), "text")
    assert rows.tolist() == [1, 5]
    assert [reason.where for reason in rejected] == ["item 4"]


@pytest.mark.parametrize(
    ("picture", "rgb"),
    [
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("LA", (4, 4), (0, 255)), (0, 0, 0)),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16)), (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb_on_white(tmp_path, picture, rgb):
    path = tmp_path / ("x.tif" if picture.mode == "CMYK" else "x.png")
    picture.save(path)
    assert load_rgb(str(path)).getpixel((1, 1)) == rgb


def test_transparent_palette_becomes_white(tmp_path):
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([10, 20, 30])
    picture.save(tmp_path / "x.gif", transparency=0)
    assert load_rgb(str(tmp_path / "x.gif")).getpixel((1, 1)) == (255, 255, 255)


def test_huge_broken_and_absent_pictures_are_unreadable(tmp_path, monkeypatch):
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    (tmp_path / "text.png").write_text("<html>404</html>")
    for name in ("cut.jpg", "text.png", "absent.jpg"):
        with pytest.raises(UnreadableImageError, match=name):
            load_rgb(str(tmp_path / name))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(UnreadableImageError, match="64 x 64 pixels"):
        load_rgb(str(tmp_path / "whole.jpg"))


def test_rows_stay_with_their_pictures(tmp_path):
    files: list[Path | None] = []
    for width in range(1, 12):
        files.append(tmp_path / f"{width}.png")
        Image.new("RGB", (width, 2)).save(files[-1])
    files[3], files[6] = None, tmp_path / "absent.png"
    batches = list(image_batches(frame(images=files), 4, lambda image: image.width))
    assert [len(rows) for rows, _, _ in batches] == [4, 3, 2]
    assert all(rows.tolist() == widths for rows, widths, _ in batches)
    assert [len(rejected) for _, _, rejected in batches] == [0, 1, 0]


@dataclass
class Arrays:
    """Precomputed files of three items in a folder."""

    folder: Path

    def encoder(self, ids="x\n02\nz\n", rows=3, **files):
        text = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
        text[-2, 0], text[-1] = np.inf, np.nan
        np.save(self.folder / "text.npy", text)
        (self.folder / "items.csv").write_text(ids)
        return PrecomputedEncoder(
            items=str(self.folder / "items.csv"), **({"text": str(self.folder / "text.npy")} | files)
        )


@pytest.mark.parametrize("ids", ["x\n02\nz\n", "id\nx\n02\nz", '\ufeffid,title\r\nx,"a, b"\r\n02,c\r\nz,d\r\n'])
def test_precomputed_rows_are_matched_by_raw_id(tmp_path, ids):
    encoder = Arrays(tmp_path).encoder(ids)
    rows, vectors, rejected = encoded(encoder, frame(ids=["z", "2", "02", "x"]), "text")
    assert encoder.dims() == (2, 0)
    assert rows.tolist() == [4]
    assert vectors.tolist() == [[0, 1]]
    [reason] = rejected
    assert reason.where.endswith("text.npy: row 1 (id 02)")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 5}, "names 3 rows but .*text.npy has 5"),
        ({"ids": "x\nx\nz\n"}, "id 'x' stands twice"),
        ({"ids": "p\nq\nr\n"}, r"none of its ids \(such as 'p'\).*\(such as 'x'\)"),
        ({"text": "flat.npy"}, "is 1-d float64"),
        ({"text": "whole.npy"}, "is 2-d int64"),
        ({"text": "objects.npy"}, "not a .npy array of numbers"),
        ({"text": "items.csv"}, "not a .npy array of numbers"),
        ({"text": "absent.npy"}, "absent.npy"),
        ({"text": "several.npz"}, "an archive"),
    ],
)
def test_precomputed_mistakes_are_named(tmp_path, change, message):
    np.save(tmp_path / "flat.npy", np.zeros(3))
    np.save(tmp_path / "whole.npy", np.zeros((3, 2), dtype=np.int64))
    np.save(tmp_path / "objects.npy", np.array([[{}]] * 3), allow_pickle=True)
    np.savez(tmp_path / "several.npz", a=np.zeros((3, 2)))
    files = {key: str(tmp_path / value) for key, value in change.items() if key == "text"}
    encoder = Arrays(tmp_path).encoder(**{**change, **files})
    with pytest.raises(UserError, match=message):
        encoded(encoder, frame(ids=["x", "02", "z"]), "text")


@pytest.mark.parametrize(
    ("options", "message"), [({}, "name a .npy file"), ({"text": "t.npy", "name": "a/b"}, "'a/b'")]
)
def test_precomputed_options_are_checked(options, message):
    with pytest.raises(UserError, match=message):
        PrecomputedEncoder(items="items.csv", **options)


def test_precomputed_revision_follows_content_not_place(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    one, same, other = (
        Arrays(tmp_path / name).encoder(ids)
        for name, ids in (("a", "x\n02\nz\n"), ("b", "x\n02\nz\n"), ("c", "x\n2\nz\n"))
    )
    assert (one.revision(), one.options()) == (same.revision(), same.options())
    assert one.revision() != other.revision()


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


def clip_items(folder):
    rng, files = np.random.default_rng(1), []
    for index in range(5):
        files.append(folder / f"{index}.png")
        Image.fromarray(rng.integers(0, 256, (40 + index, 50, 3), dtype=np.uint8)).save(files[-1])
    files[2] = folder / "absent.png"
    return frame(texts=["a red dress", None, "word " * 200, "naïve café", ""], images=files)


def one_by_one(checkpoint, items, **options):
    """The same by plain open_clip calls, one item at a time."""
    import open_clip
    import torch

    model, preprocess = open_clip.create_model_from_pretrained("tiny-clip", str(checkpoint), **options)
    tokenize = open_clip.get_tokenizer("tiny-clip")
    with torch.no_grad():
        texts = [model.encode_text(tokenize([t]), normalize=True)[0].numpy() for t in items["text"] if t]
        pictures = [
            model.encode_image(preprocess(Image.open(path))[None], normalize=True)[0].numpy()
            for path in items["image"]
            if Path(path).exists()
        ]
    return np.stack(texts), np.stack(pictures)


def test_open_clip_in_batches_equals_one_by_one(tiny, tmp_path):
    items, encoder = clip_items(tmp_path), tiny_encoder(tiny, batch_size=2)
    texts, pictures = one_by_one(tiny, items)
    rows, vectors, _ = encoded(encoder, items, "text")
    assert rows.tolist() == [1, 3, 4]
    np.testing.assert_allclose(vectors, texts, atol=1e-5)
    rows, vectors, rejected = encoded(encoder, items, "image")
    assert rows.tolist() == [1, 2, 4, 5]
    np.testing.assert_allclose(vectors, pictures, atol=1e-5)
    assert len(rejected) == 1
    assert encoder.dims() == (12, 12)


def test_open_clip_checkpoint_keeps_the_settings_of_its_tag(tiny, tmp_path, monkeypatch):
    import open_clip

    tag = {"quick_gelu": True, "mean": (0.1, 0.2, 0.3), "std": (1, 1, 1), "resize_mode": "squash"}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: tag)
    items = clip_items(tmp_path)
    settings = {"image_mean": (0.1, 0.2, 0.3), "image_std": (1, 1, 1), "image_resize_mode": "squash"}
    texts, pictures = one_by_one(tiny, items, force_quick_gelu=True, **settings)
    encoder = tiny_encoder(tiny, pretrained="tag")
    np.testing.assert_allclose(encoded(encoder, items, "text")[1], texts, atol=1e-5)
    np.testing.assert_allclose(encoded(encoder, items, "image")[1], pictures, atol=1e-5)
    assert np.abs(texts - one_by_one(tiny, items)[0]).max() > 1e-4


def test_open_clip_half_precision_is_close(tiny, tmp_path):
    items = clip_items(tmp_path)
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
        list(tiny_encoder(tiny, **options).encode(clip_items(tmp_path)))


def test_open_clip_without_network_says_what_to_do(tmp_path, monkeypatch):
    import open_clip

    def unreachable(settings):
        raise FileNotFoundError("Failed to download file\nLast error: no route")

    monkeypatch.setattr(open_clip, "download_pretrained", unreachable)
    with pytest.raises(UserError, match=r"huggingface\.co/laion/.*checkpoint FILE, or choose") as caught:
        list(OpenClipEncoder(device="cpu").encode(clip_items(tmp_path)))
    assert "\n" not in str(caught.value)


def test_open_clip_without_any_weights_is_a_mistake():
    with pytest.raises(UserError, match="name the weights"):
        OpenClipEncoder(pretrained=None)
    with pytest.raises(UserError, match=r"absent.pt does not exist"):
        tiny_encoder("absent.pt").revision()


@pytest.mark.parametrize(
    ("encoder", "arguments"),
    [
        (HandcraftedEncoder, {"text_dim": 64}),
        (PrecomputedEncoder, {"items": "items.csv", "image": "image.npy", "text": None}),
        (OpenClipEncoder, {"pretrained": None, "checkpoint": "w.pt", "precision": "bf16"}),
    ],
)
def test_encoders_are_chosen_in_a_config(encoder, arguments):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--encoder", type=FeatureEncoder)
    choice = {"class_path": f"mmrec.data.encoders.{encoder.__name__}", "init_args": arguments}
    built = parser.instantiate_classes(parser.parse_object({"encoder": choice})).encoder
    assert isinstance(built, encoder)
    assert isinstance(built, FeatureEncoder)
