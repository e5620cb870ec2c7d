import inspect

import pytest
import torch
from jsonargparse import ArgumentError, ArgumentParser

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.models.mm_racl_kal import MMRaclKal
from mmrec.models.racl_kal import RaclKal
from mmrec.models.recommender import Recommender
from mmrec.testing import build_model

FIXED = {
    "n_users", "image_dim", "text", "image", "item_id", "features_first", "id_lr", "dynamic", "static_user",
    "graph_layers", "pooling", "lambda_mm",
}  # fmt: skip


def test_it_is_mm_racl_kal_without_image_graph_and_gate(toy: RecDataModule) -> None:
    ours = build_model(RaclKal, toy)
    theirs = build_model(MMRaclKal, toy, image=False, static_user="none", lambda_mm=0.0)
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


def parser() -> ArgumentParser:
    made = ArgumentParser(exit_on_error=False)
    made.add_subclass_arguments(Recommender, "model")
    return made


def test_a_config_sets_the_options_of_mm_racl_kal_that_are_not_fixed() -> None:
    config = parser().parse_object({"model": {"class_path": "mmrec.models.RaclKal", "init_args": {"n_items": 9}}})
    options = dict(config.model.init_args)
    assert set(options) == set(inspect.signature(MMRaclKal).parameters) - FIXED
    defaults = {name: p.default for name, p in inspect.signature(MMRaclKal).parameters.items()}
    assert options == {name: 9 if name == "n_items" else defaults[name] for name in options}


@pytest.mark.parametrize("option", sorted(FIXED))
def test_a_fixed_option_is_refused(option: str, toy: RecDataModule) -> None:
    with pytest.raises(TypeError, match=f"multiple values for keyword argument '{option}'"):
        build_model(RaclKal, toy, **{option: 1})
    init_args = {"n_items": 9, option: 1}
    with pytest.raises(ArgumentError, match=option):
        parser().parse_object({"model": {"class_path": "mmrec.models.RaclKal", "init_args": init_args}})


def test_a_checkpoint_holds_every_option_that_is_not_fixed(toy: RecDataModule) -> None:
    model = build_model(RaclKal, toy, beta=0.3)
    assert set(model.hparams) == set(inspect.signature(MMRaclKal).parameters) - FIXED
    assert model.hparams["beta"] == 0.3
