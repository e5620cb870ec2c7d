import inspect

import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.models.racl_kal import RaclKal
from tests.contracts.conftest import build


def test_it_is_mm_racl_kal_without_image_graph_and_gate(toy: RecDataModule) -> None:
    ours = build("racl_kal", toy)
    theirs = build("mm_racl_kal", toy, image=False, static_user="none", lambda_mm=0.0)
    theirs.load_state_dict(ours.state_dict())
    batch = next(iter(toy.train_dataloader()))
    losses = []
    for model in (ours, theirs):
        model.refresh_neighbours()
        torch.manual_seed(0)
        losses.append(model.losses(batch))
    assert set(losses[0]) == {"loss", "loss_rec", "loss_ui", "loss_ii"}
    assert losses[0] == losses[1]
    held_out = next(iter(toy.eval_dataloader(Split.VALID)))
    with torch.no_grad():
        assert torch.equal(ours.eval().score(held_out), theirs.eval().score(held_out))


def test_defaults_are_those_of_mm_racl_kal() -> None:
    base = inspect.signature(MMRaclKal).parameters
    assert all(base[name].default == p.default for name, p in inspect.signature(RaclKal).parameters.items())


def test_a_checkpoint_carries_what_the_class_is_made_from(toy: RecDataModule) -> None:
    model = build("racl_kal", toy, beta=0.3)
    assert set(model.hparams) == set(inspect.signature(RaclKal).parameters)
    assert model.hparams["beta"] == 0.3
