import json

import numpy as np
import polars as pl
import pytest
import torch

from mmrec.data.features.encoders import HandcraftedEncoder, PrecomputedEncoder, WithAttributesEncoder
from mmrec.data.features.encoders.attributes import WIDTH, hashed_attributes
from mmrec.data.features.encoders.base import Part
from mmrec.data.features.encoders.neural import Network, NeuralEncoder
from mmrec.errors import InvalidArgument


def part(*items: tuple[str | None, dict | None]) -> Part:
    rows = [(place, text, json.dumps(given) if given else None) for place, (text, given) in enumerate(items, 1)]
    return Part("text", pl.DataFrame(rows, schema=["item", "text", "attributes"], orient="row"))


def cosine(one: dict, other: dict) -> float:
    return float(hashed_attributes(one) @ hashed_attributes(other))


def test_attributes_follow_the_text_with_the_same_length() -> None:
    plain = HandcraftedEncoder(32)
    asked = part(("a red coat", {"brand": "Acme"}), ("a blue hat", None), (None, {"brand": "Acme"}), (None, None))
    (alone,), (block,) = plain.encode([asked]), WithAttributesEncoder(plain).encode([asked])
    assert block.rows.tolist() == [1, 2, 3]  # one without either is missing
    texts, attributes = block.vectors[:, :32], block.vectors[:, 32:]
    np.testing.assert_allclose(texts[:2], alone.vectors, atol=1e-6)
    assert not texts[2].any()
    assert not attributes[1].any()
    np.testing.assert_array_equal(attributes[0], attributes[2])
    np.testing.assert_allclose(np.linalg.norm(attributes, axis=1), [1, 0, 1], atol=1e-6)
    assert attributes.shape[1] == WIDTH


class Lengths(NeuralEncoder):
    """The vector of a text is its length, three times."""

    name = "lengths"

    def __init__(self) -> None:
        super().__init__("auto", "cpu", "fp32")

    def modalities(self) -> tuple[str, ...]:
        return ("text",)

    def load(self, device: torch.device) -> Network:
        return Network(lambda _, texts: torch.tensor([[float(len(text))] * 3 for text in texts]))


def test_part_without_any_text_has_the_width_of_the_others() -> None:
    parts = [part((None, {"brand": "Acme"}), (" ", None)), part(("a red coat", None))]
    without, other = WithAttributesEncoder(Lengths()).encode(parts)
    assert without.rows.tolist() == [1]
    assert without.vectors.shape == other.vectors.shape == (1, 3 + WIDTH)
    assert not without.vectors[:, :3].any()


def test_similarity_comes_from_shared_values_and_leading_digits() -> None:
    film = {"genres": ["Comedy", "Drama"], "year": "1998"}
    assert cosine(film, {"genres": ["drama", "comedy"], "year": 1998.0}) == pytest.approx(1.0)
    nearer = [cosine(film, {**film, "year": year}) for year in ("1999", "1989", "2010", "98")]
    assert nearer == pytest.approx([0.5 + 0.5 * shared / 4 for shared in (3, 2, 0, 0)], abs=1e-6)
    assert cosine(film, {"genres": ["Drama"], "year": "1998"}) > cosine(film, {"genres": ["Horror"], "year": "1998"})
    assert abs(cosine({"brand": "Comedy"}, {"genres": ["Comedy"]})) < 0.9  # the same word of another attribute
    assert not hashed_attributes({"brand": "", "price": None, "sizes": []}).any()
    assert hashed_attributes({"price": float("inf")}).any()


def test_encoder_without_texts_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="encoder must be an encoder of text vectors, but Precomputed"):
        WithAttributesEncoder(PrecomputedEncoder(items="ids.csv", image="x.npy"))
