import numpy as np

from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.encoders import OpenClipEncoder
from mmrec.explain import Knowledge
from mmrec.explain.themes import MOST, Themes, vocabulary


def test_words_near_one_picture_are_its_and_words_near_all_are_nobodys(knowledge):
    words = ["sea", "snow", "picture"]
    texts = np.eye(4)[[0, 1, 3]]
    images = np.array([[0, 0, 0, 0], [3, 0, 0, 1], [0, 3, 0, 1], [0, 0, 3, 1.0]])
    themes = Themes(words, texts, images, np.array([False, True, True, True]))
    assert [themes(item) for item in range(4)] == [None, ["sea"], ["snow"], []]
    seen = Knowledge(knowledge._items, themes=themes)
    assert seen.image_words(1) == ["sea"]
    assert seen.image_words(3) == []  # a picture near nothing; one without goes by its colours
    assert Knowledge(knowledge._items, themes=lambda item: None).image_words(3) == ["blue", "low contrast"]


def test_only_clip_features_have_themes(toy: RecDataModule, monkeypatch):
    assert Themes.of(toy) is None
    clip = OpenClipEncoder()
    width = toy.features.image_dim
    texts = np.random.default_rng(0).normal(size=(len(vocabulary()), width)).astype(np.float32)
    asked = []
    monkeypatch.setattr(clip, "text_tower", lambda: lambda strings: asked.extend(strings) or texts)
    monkeypatch.setattr(toy, "encoder", clip)
    themes = Themes.of(toy)
    assert asked[0] == f"a picture of {vocabulary()[0]}"
    present = toy.features.image_present
    found = [themes(item) for item in range(toy.n_items)]
    assert all((words is not None) == there for words, there in zip(found, present, strict=True))
    assert any(found)
    assert all(len(words) <= MOST for words in found if words)
    monkeypatch.setitem(toy.features.manifest, "whitening", {})
    assert Themes.of(toy) is None
