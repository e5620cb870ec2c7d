"""The contract of every model class, in each form that runs code which no other form runs."""

import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.models.content_knn import ContentKNN
from mmrec.models.ease import EASE
from mmrec.models.gru4rec import GRU4Rec
from mmrec.models.itemknn import ItemKNN
from mmrec.models.lightgcn import LightGCN
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.models.mm_racl_kal_neighbours import MMRaclKalNeighbours
from mmrec.models.mmgcn import MMGCN
from mmrec.models.popularity import Popularity
from mmrec.models.racl_kal import RaclKal
from mmrec.models.recommender import Recommender
from mmrec.models.sasrec import SASRec
from mmrec.models.vbpr import VBPR
from mmrec.testing import ModelContract, SequenceModelContract, TrainedModelContract
from mmrec.testing.model_contract import eval_batch, train_batch
from tests.contracts.conftest import MODELS, build, model_class


class TestPopularity(ModelContract):
    model = Popularity


class TestItemKNN(ModelContract):
    model = ItemKNN


class TestContentKNN(ModelContract):
    model = ContentKNN


class TestEASE(ModelContract):
    model = EASE


class TestLightGCN(TrainedModelContract):
    model = LightGCN


class TestLightGCNOfFeatures(TrainedModelContract):
    model = LightGCN
    options = {"item_id": False, "text": True, "image": True}


class TestVBPR(TrainedModelContract):
    model = VBPR


class TestMMGCN(TrainedModelContract):
    model = MMGCN


class TestGRU4Rec(SequenceModelContract):
    model = GRU4Rec


class TestSASRec(SequenceModelContract):
    model = SASRec


class TestSASRecWithEveryInput(SequenceModelContract):
    model = SASRec
    options = {"text": True, "image": True, "heads": 2, "block": "ligr", "time_bias": True, "attention_dropout": 0.1}


class TestSASRecWithSampledSoftmax(SequenceModelContract):
    model = SASRec
    options = {"loss": "sampled_softmax"}


class TestGSASRec(SequenceModelContract):
    model = SASRec
    options = {"loss": "gbce"}


class TestSASRecWithOneNegative(SequenceModelContract):
    model = SASRec
    options = {"loss": "bce"}


class TestMMRaclKal(SequenceModelContract):
    model = MMRaclKal


class TestMMRaclKalWithIds(SequenceModelContract):
    model = MMRaclKal
    options = {"item_id": True, "features_first": True, "static_user": "node", "decoupled": True, "negatives": "random"}


class TestMMRaclKalWithoutDynamicInterest(SequenceModelContract):
    model = MMRaclKal
    options = {"dynamic": False}
    overfitted_loss = 0.95  # a mean of the user's items hardly distinguishes positions: it learns, but cannot overfit


class TestRaclKal(SequenceModelContract):
    model = RaclKal


class TestMMRaclKalNeighbours(SequenceModelContract):
    model = MMRaclKalNeighbours


def test_every_model_has_a_contract() -> None:
    covered = {contract.model for contract in globals().values() if hasattr(contract, "model")}
    missing = {model_class(name).__name__ for name in MODELS} - {model.__name__ for model in covered}
    assert not missing, "add three lines per model: class TestX(TrainedModelContract): model = X"


@pytest.mark.parametrize("name", MODELS)
def test_every_config_makes_a_model_with_a_finite_loss(name: str, toy: RecDataModule) -> None:
    model = build(name, toy)
    if model.trains_on != "nothing":
        assert model.losses(train_batch(model, toy))["loss"].isfinite()


@pytest.mark.parametrize("name", [name for name in MODELS if "-" in name])
def test_every_ablation_changes_losses_or_scores(name: str, toy: RecDataModule) -> None:
    """From the same parameters, with the same seed."""
    full, variant = build(name.partition("-")[0], toy), build(name, toy)
    batch = train_batch(full, toy)
    variant.load_state_dict(full.state_dict(), strict=False)

    def losses_and_scores(model: Recommender) -> tuple[dict[str, float], torch.Tensor]:
        torch.manual_seed(0)
        losses = {key: value.item() for key, value in model.losses(batch).items()}
        with torch.no_grad():
            return losses, model.score(eval_batch(toy))

    (of_full, scores), (of_variant, changed) = losses_and_scores(full.eval()), losses_and_scores(variant.eval())
    assert of_full != of_variant or not torch.equal(scores, changed)
