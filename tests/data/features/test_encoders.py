"""Encoders alone: what a vector is made of, and which message replaces it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from jsonargparse import ArgumentParser
from PIL import Image, ImageDraw

from mmrec.data.features.encoders import (
    FeatureEncoder,
    HandcraftedEncoder,
    JoinedEncoder,
    OpenClipEncoder,
    Part,
    PrecomputedEncoder,
    SentenceTransformerEncoder,
    TimmEncoder,
)
from mmrec.data.features.encoders.attributes import WIDTH, WithAttributesEncoder
from mmrec.data.features.encoders.base import UnreadableImageError, load_rgb
from mmrec.data.features.encoders.handcrafted import hashed_words, image_statistics
from mmrec.data.features.encoders.inputs import read_parts
from mmrec.data.features.encoders.tower import text_tower
from mmrec.errors import InvalidArgument, UserError
from tests.data.features.encoding import encoded, frame

COLOURS = {"red": (190, 30, 40), "green": (40, 140, 60), "navy": (20, 30, 100), "grey": (120, 120, 120)}
PATTERNS = ("plain", "stripes", "dots", "checks")
GARMENTS = ("dress", "trousers", "shirt")


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
        image = draw(list(COLOURS)[label[0]], PATTERNS[label[1]], GARMENTS[label[2]], rng)
        files.append(tmp_path / f"{index}.jpg")
        image.save(files[-1])
        labels.append(label)
    _, vectors, _ = encoded(HandcraftedEncoder(), frame(images=files), "image")
    for target, classes in zip(np.array(labels).T, (4, 4, 3), strict=True):
        inputs, hot = np.c_[vectors, np.ones(480)], np.eye(classes)[target]
        ridge = inputs[:320].T @ inputs[:320] + 1e-3 * np.eye(inputs.shape[1])
        guess = (inputs[320:] @ np.linalg.solve(ridge, inputs[:320].T @ hot[:320])).argmax(axis=1)
        assert (guess == target[320:]).mean() > 0.95


def test_image_statistics_are_unchanged():
    """A change here is a change of features: raise `HandcraftedEncoder.revision`."""
    pixels = (np.arange(2 * 64 * 64 * 6) * 7919 % 256).astype(np.uint8).reshape(2, 64, 64, 6)
    pixels[1, 16:48, 24:40] = (200, 40, 30, 2, 217, 200)
    vectors = image_statistics(pixels)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors @ np.cos(np.arange(248)), [0.127099, 0.148808], atol=1e-5)


def test_word_hashes_are_unchanged():
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
    ("image", "rgb"),
    [
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("LA", (4, 4), (0, 255)), (0, 0, 0)),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16)), (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb_on_white(tmp_path, image, rgb):
    path = tmp_path / ("x.tif" if image.mode == "CMYK" else "x.png")
    image.save(path)
    assert load_rgb(str(path)).getpixel((1, 1)) == rgb


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.tif"])
def test_photos_are_turned_upright(tmp_path, name, orientation):
    """The photo is dark at the upper left, however the camera was held."""
    upright = Image.new("L", (40, 20), 255)
    upright.paste(0, (0, 0, 20, 10))
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / name, exif=exif)
    found = load_rgb(str(tmp_path / name))
    assert found.size == (40, 20)
    corners = [found.getpixel(place)[0] > 128 for place in ((4, 4), (36, 4), (4, 16), (36, 16))]
    assert corners == [False, True, True, True]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_data_do_not_make_an_image_unreadable(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert load_rgb(str(tmp_path / "x.jpg")).size == (8, 8)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 128.0, 255.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 32768.0, 65535.0]], np.float32), [0, 128, 255]),
        (np.array([[-1.0, np.nan, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[0, 1, 200]], np.int32), [0, 1, 200]),
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[0, 2**30, 2**31 - 1]], np.int32), [0, 64, 127]),
    ],
)
def test_wide_grey_values_are_scaled_and_not_cut(tmp_path, values, expected):
    Image.fromarray(values).save(tmp_path / "x.tif")
    with Image.open(tmp_path / "x.tif") as image:
        assert image.mode in ("I", "F")
    found = load_rgb(str(tmp_path / "x.tif"))
    assert [found.getpixel((x, 0)) for x in range(3)] == [(grey,) * 3 for grey in expected]


def test_transparent_palette_becomes_white(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30])
    image.save(tmp_path / "x.gif", transparency=0)
    assert load_rgb(str(tmp_path / "x.gif")).getpixel((1, 1)) == (255, 255, 255)


def test_huge_broken_and_missing_images_are_unreadable(tmp_path, monkeypatch):
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    (tmp_path / "text.png").write_text("<html>404</html>")
    for name in ("cut.jpg", "text.png", "absent.jpg"):
        with pytest.raises(UnreadableImageError, match=name):
            load_rgb(str(tmp_path / name))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(UnreadableImageError, match="64 x 64 pixels"):
        load_rgb(str(tmp_path / "whole.jpg"))


def test_rows_stay_with_their_images(tmp_path):
    files: list[Path | None] = []
    for width in range(1, 12):
        files.append(tmp_path / f"{width}.png")
        Image.new("RGB", (width, 2)).save(files[-1])
    files[3], files[6] = None, tmp_path / "absent.png"
    parts = [Part("image", some) for some in frame(images=files).iter_slices(4)]
    inputs = list(read_parts(parts, lambda image: image.width))
    assert [each.rows.tolist() for each in inputs] == [[1, 2, 3], [5, 6, 8], [9, 10, 11]]
    assert all(each.values == each.rows.tolist() for each in inputs)
    assert [len(each.rejected) for each in inputs] == [0, 1, 0]


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


@pytest.mark.parametrize("end", ["", "\n", "\r\n \r\n,\r\n"])  # blank lines at the end are not rows
@pytest.mark.parametrize(
    "ids", ["x\n02\nz\n", "id\nx\n02\nz", '\ufeff,title\r\nx,"a, b"\r\n02,c\r\nz,d\r\n', "x\r\n02\r\nz\r\n"]
)
def test_precomputed_rows_are_matched_by_raw_id(tmp_path, ids, end):
    encoder = Arrays(tmp_path).encoder(ids + end)
    rows, vectors, (unlisted, broken) = encoded(encoder, frame(ids=["z", "2", "02", "x"]), "text")
    assert encoder.modalities() == ("text",)
    assert rows.tolist() == [4]
    assert vectors.tolist() == [[0, 1]]
    assert unlisted.where.endswith("items.csv: no '2' in its first column, which has ids such as 'x'")
    assert broken.where.endswith("text.npy: row 1 (id 02)")


def test_precomputed_ids_are_compared_in_one_spelling(tmp_path):
    encoder = Arrays(tmp_path).encoder("cafe\u0301\n02\nz\n")
    for raw_id in ("caf\u00e9", "cafe\u0301 "):  # as the sources spell it, and as it may be typed
        assert encoded(encoder, frame(ids=[raw_id]), "text")[1].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 5}, "names 3 rows but .*text.npy has 5"),
        ({"ids": "x\nx\nz\n"}, "id 'x' is listed twice"),
        ({"ids": "x\n02\n\n"}, "names 2 rows but .*text.npy has 3"),
        ({"ids": "x\n\nz\n\n"}, r"items\.csv:2: the id is blank; name the item of row 1 of .*text\.npy"),
        ({"ids": 'id,t\r\nx,"a\r\nb"\r\n02,b\r\n ,c\r\n'}, r"items\.csv:5: the id is blank; name the item of row 2"),
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
    ("options", "message"),
    [({}, "text or image must name a file"), ({"text": "t.npy", "name": "a/b"}, "name must be .*'a/b'")],
)
def test_precomputed_options_are_checked(options, message):
    with pytest.raises(InvalidArgument, match=message):
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


NAMED = {"model": "tf_efficientnet_lite0.in1k", "checkpoint": "w.pt", "batch_size": 8}
CHOICES = [
    (HandcraftedEncoder, {"text_dim": 64}),
    (PrecomputedEncoder, {"items": "items.csv", "image": "image.npy", "text": None}),
    (OpenClipEncoder, {"pretrained": None, "checkpoint": "w.pt", "precision": "bf16", "batch_size": "auto"}),
    (SentenceTransformerEncoder, {"model": "intfloat/e5-small-v2"}),
    (TimmEncoder, NAMED),
    (
        JoinedEncoder,
        {
            "text": {"class_path": "mmrec.data.features.encoders.HandcraftedEncoder", "init_args": {"text_dim": 32}},
            "image": {"class_path": "mmrec.data.features.encoders.TimmEncoder", "init_args": NAMED},
        },
    ),
]


@pytest.mark.parametrize(("encoder", "arguments"), CHOICES)
def test_encoders_are_chosen_in_a_config(encoder, arguments):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--encoder", type=FeatureEncoder)
    choice = {"class_path": f"mmrec.data.features.encoders.{encoder.__name__}", "init_args": arguments}
    built = parser.instantiate_classes(parser.parse_object({"encoder": choice})).encoder
    assert isinstance(built, encoder)
    assert isinstance(built, FeatureEncoder)


def test_joined_takes_each_modality_from_its_encoder(tmp_path):
    text = Arrays(tmp_path).encoder()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "x.png")
    items = frame(texts=["red", "blue"], images=[tmp_path / "x.png", None], ids=["x", "z"])
    joined = JoinedEncoder(text, HandcraftedEncoder())
    parts = [Part("text", items), Part("image", items[:1]), Part("image", items[1:])]
    texts, first, second = joined.encode(parts)
    assert texts.vectors.tolist() == [[0, 1]]
    assert (first.rows.tolist(), first.vectors.shape, second.rows.tolist()) == ([1], (1, 248), [])
    assert joined.name == "precomputed+handcrafted"
    assert text.revision() in joined.revision()
    assert joined.options() != JoinedEncoder(HandcraftedEncoder(), HandcraftedEncoder()).options()


def test_joined_refuses_an_encoder_without_the_modality():
    with pytest.raises(InvalidArgument, match="image must be an encoder of image vectors, but SentenceTra"):
        JoinedEncoder(HandcraftedEncoder(), SentenceTransformerEncoder())


def test_text_towers_of_encoders_without_a_network() -> None:
    encoder = HandcraftedEncoder(32)
    vectors = text_tower(encoder, 32)(["A red dress", "!?", "A red dress"])
    np.testing.assert_array_equal(vectors[0], hashed_words("a red dress", 32))
    np.testing.assert_array_equal(vectors, vectors[[2, 1, 0]])
    assert not vectors[1].any()  # no word, no vector
    attributes = text_tower(WithAttributesEncoder(encoder), 32 + WIDTH)(["A red dress"])
    assert not attributes[0, 32:].any()
    np.testing.assert_allclose(attributes[0, :32], vectors[0] / np.linalg.norm(vectors[0]), rtol=1e-5)
    arrays = PrecomputedEncoder("items.csv", text="text.npy")
    assert text_tower(arrays, 32) is None
    assert text_tower(WithAttributesEncoder(arrays), 32 + WIDTH) is None
    assert text_tower(TimmEncoder(), 0) is None  # images alone
    assert text_tower(None, 0) is None
