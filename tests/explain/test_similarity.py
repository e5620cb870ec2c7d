import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.explain import Knowledge, Recommendation
from mmrec.explain.similarity import FALSE_REJECTIONS, Similarity, word_vectors
from tests.contracts.conftest import build


@pytest.fixture(scope="module")
def shop(toy: RecDataModule) -> Knowledge:
    return Knowledge.load(toy.catalog.folder)


def test_an_items_own_text_has_its_projected_vector(toy: RecDataModule, shop: Knowledge) -> None:
    model = build("mm_racl_kal", toy).eval()
    similarity = Similarity.of(model, toy, shop)
    assert similarity.method == "the text encoder and W_t"
    text = toy.catalog.item_table["text"][7]
    projected = model.item_encoder().text[7].detach()
    assert similarity(text, projected.numpy()) == pytest.approx(1, abs=1e-3)  # features are kept as float16
    assert similarity("…", projected.numpy()) == 0  # no word, no vector


@pytest.mark.parametrize("name", ["sasrec", "lightgcn"])  # ids alone: W_t is not there
def test_without_a_projection_the_words_of_the_items_stand_in(name: str, toy: RecDataModule, shop: Knowledge) -> None:
    assert Similarity.of(build(name, toy), toy, shop).method.startswith("the mean vectors of items")


def test_models_without_vectors_have_no_similarity(toy: RecDataModule, shop: Knowledge) -> None:
    assert Similarity.of(build("ease", toy), toy, shop) is None


def test_word_vectors_are_weighted_means_over_the_items_with_the_word(knowledge) -> None:
    items = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    centred = F.normalize(items - items[1:].mean(dim=0), dim=1)
    embed = word_vectors(knowledge, items)
    torch.testing.assert_close(embed(["A boat!"])[0], centred[2] * np.log(5))
    torch.testing.assert_close(embed(["detective"])[0], (centred[1] + centred[3]) / 2 * np.log(5 / 2))
    assert not embed(["nothing of it known"]).any()


def test_calibration_rejects_its_share_and_knows_when_it_is_blind(knowledge) -> None:
    titles = ("Night Train", "Quiet Harbour", "Long Shadow")
    draw = np.random.default_rng(0)

    def embed(texts):  # each text is about the history item that it names
        first = [min(range(3), key=lambda t: (text + titles[t]).find(titles[t])) for text in texts]
        return F.one_hot(torch.tensor(first), 3).float()

    def wanting(item: int) -> Recommendation:
        interest = np.eye(3, dtype=np.float32)[item - 1] + draw.normal(0, 0.2, 3).astype(np.float32)
        return Recommendation("ann", 4, 1, 1.0, [item], [], {}, interest, falls=(1.0,))

    made = [wanting(1 + place % 3) for place in range(60)]
    similarity = Similarity(embed, "test")
    calibration = similarity.calibrate(made, knowledge)
    below = [similarity(titles[r.history[0] - 1], r.interest) < calibration.least for r in made]
    assert sum(below) == FALSE_REJECTIONS * len(made)
    assert 0.8 < calibration.auc < 0.9  # of the others a third wants the same and is as near
    blind = Similarity(lambda texts: torch.ones(len(texts), 3), "blind").calibrate(made, knowledge)
    assert blind.auc == pytest.approx(0.5, abs=0.01)
    with pytest.raises(InvalidArgument, match="at least 2"):
        similarity.calibrate(made[:1], knowledge)
