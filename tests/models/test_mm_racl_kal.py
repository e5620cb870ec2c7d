from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmrec.batch import SequenceBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.models.mm_racl_kal import MMRaclKal, prefix_mean
from tests.clocks import no_times
from tests.contracts.conftest import build


def test_prefix_mean_equals_the_naive_loop() -> None:
    histories = [[3, 1, 4, 1, 5], [2], [2, 6]]
    window = torch.tensor([[4, 1, 5], [2, 0, 0], [2, 6, 0]])
    batch = SequenceBatch(torch.arange(3), window, torch.tensor([3, 1]), torch.tensor([0, 2, 2, 2]), no_times(window))
    vectors = torch.randn(7, 4)
    means = prefix_mean(batch, vectors)
    for row, history in enumerate(histories):
        skipped = len(history) - int(batch.lengths[row])
        for position in range(int(batch.lengths[row])):
            expected = vectors[history[: skipped + position + 1]].mean(0)
            torch.testing.assert_close(means[row, position], expected)


def test_ids_have_their_own_learning_rate(toy: RecDataModule) -> None:
    model = build("mm_racl_kal", toy, item_id=True, lr=0.01, id_lr=0.25)
    groups = model.configure_optimizers().param_groups
    assert [group["lr"] for group in groups] == [0.01, 0.0025]
    assert [parameter is model.item_encoder.id.weight for parameter in groups[1]["params"]] == [True]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


@pytest.mark.parametrize("trained_items_only", [False, True])
def test_the_id_of_an_item_without_training_interactions_is_not_pushed_away(
    trained_items_only: bool, toy: RecDataModule, tmp_path: Path
) -> None:
    options = replace(toy.options, hold_out_items=0.1)
    data = RecDataModule(toy.source, prepare=options, encoder=toy.encoder, root=str(tmp_path), max_length=8)
    model = build("mm_racl_kal_id", data, trained_items_only=trained_items_only)
    untrained = (data.catalog.train.popularity == 0).nonzero().squeeze(1)[1:]
    assert len(untrained)
    model.losses(next(iter(data.train_dataloader())))["loss"].backward()
    gradient = model.item_encoder.id.weight.grad
    assert gradient[untrained].any().item() != trained_items_only


def test_retrieval_and_contrast_start_after_the_warm_up(toy: RecDataModule) -> None:
    batch = next(iter(toy.train_dataloader()))
    model = build("mm_racl_kal", toy, warmup_epochs=1, dropout=0.0)
    assert not model.losses(batch).keys() & {"loss_ui", "loss_ii", "loss_mm"}
    without = build("mm_racl_kal", toy, beta=0, replace_prob=0.0, dropout=0.0)
    without.load_state_dict(model.state_dict())
    torch.testing.assert_close(model.losses(batch)["loss"], without.losses(batch)["loss"])
    assert model.refresh_neighbours() is None
    assert not model.library.ready
    model.trainer = SimpleNamespace(current_epoch=1)
    assert {"loss_ui", "loss_ii", "loss_mm"} <= model.losses(batch).keys()


def test_total_loss_is_equation_18(toy: RecDataModule) -> None:
    batch = next(iter(toy.train_dataloader()))
    weights = {"beta": 0.3, "lambda_ui": 0.5, "lambda_ii": 2.0, "lambda_mm": 0.25}
    losses = build("mm_racl_kal", toy, **weights).losses(batch)
    contrast = sum(weights[f"lambda_{name}"] * losses[f"loss_{name}"] for name in ("ui", "ii", "mm"))
    torch.testing.assert_close(losses["loss"], losses["loss_rec"] + 0.3 * contrast)


@pytest.mark.parametrize("term", ["ui", "ii", "mm"])
def test_a_term_without_weight_is_not_computed(term: str, toy: RecDataModule) -> None:
    """The remaining term has the value that it has together with the others."""
    batch = next(iter(toy.train_dataloader()))
    whole = build("mm_racl_kal", toy, dropout=0.0)
    alone = build("mm_racl_kal", toy, dropout=0.0, **{f"lambda_{name}": 0.0 for name in {"ui", "ii", "mm"} - {term}})
    alone.load_state_dict(whole.state_dict())
    losses = []
    for model in (whole, alone):
        torch.manual_seed(0)
        losses.append(model.losses(batch))
    assert {name for name in losses[1] if name.startswith("loss_")} == {"loss_rec", f"loss_{term}"}
    torch.testing.assert_close(losses[1][f"loss_{term}"], losses[0][f"loss_{term}"])


def test_without_its_parts_it_is_sasrec(toy: RecDataModule) -> None:
    off = {"item_id": True, "text": False, "image": False, "replace_prob": 0.0, "static_user": "none", "beta": 0.0}
    model = build("mm_racl_kal", toy, **off)
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"item_encoder", "dynamic"}
    assert model.library is None
    assert model.neighbours() is None


def test_the_user_node_contains_the_edge_to_the_target_in_training(toy: RecDataModule) -> None:
    """The reason for `static_user: prefix`: with the node form, u^s depends on the item to predict."""
    batch = next(iter(toy.train_dataloader()))
    model = build("mm_racl_kal", toy, static_user="node")
    users = model.tables().static_users
    assert users is not None
    target = batch.targets[0, 0]
    gradient = torch.autograd.grad(users[batch.user[0]].sum(), model.item_encoder.text_projection.weight)[0]
    assert gradient.any()
    down = model.static.users_from_items.to_dense()
    assert down[batch.user[0], target] > 0
    model.known_users.known[:2] = False  # as if these had no training interactions
    users = model.tables().static_users
    torch.testing.assert_close(users[0], users[2:].mean(dim=0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dynamic": False, "static_user": "none"}, "dynamic is false and static_user is none"),
        ({"heads": 3}, r"heads must be a divisor of the width 64, but is 3"),
        ({"replace_prob": 1.5}, "probability"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"beta": -1.0}, "beta must be at least 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_contradictory_options_are_refused(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("mm_racl_kal", toy, **changes)


def test_checkpoints_hold_nothing_that_comes_from_the_data(toy: RecDataModule) -> None:
    model: MMRaclKal = build("mm_racl_kal", toy)
    assert not [name for name in model.state_dict() if "features" in name or "neighbours" in name or "keys" in name]
