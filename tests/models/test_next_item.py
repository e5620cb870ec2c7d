"""What holds for SASRec and for GRU4Rec."""

import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.losses.objective import NextItemLoss
from tests.contracts.conftest import build


@pytest.mark.parametrize("model", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("loss", ["cross_entropy", "sampled_softmax", "gbce", "bce"])
def test_every_position_with_a_target_has_the_named_loss(model: str, loss: str, toy: RecDataModule) -> None:
    made, batch = build(model, toy, loss=loss, n_negatives=7, gbce_t=0.5).eval(), next(iter(toy.train_dataloader()))
    assert len(batch.user) > 1
    torch.manual_seed(1)
    ours = made.losses(batch)["loss"]
    vectors = made.item_vectors()
    states = made.sequence_encoder(vectors[batch.items], batch.clock)
    rows = [
        (batch.user[row], states[row, place], batch.targets[row, place])
        for row in range(len(batch.user))
        for place in range(batch.targets.shape[1])
        if batch.targets[row, place]
    ]
    user, hidden, target = (torch.stack(column) for column in zip(*rows, strict=True))
    expected = NextItemLoss(loss, n_negatives=7, gbce_t=0.5)
    expected.set_view(toy.catalog.train)
    torch.manual_seed(1)
    torch.testing.assert_close(ours, expected(user, hidden, vectors, target))


@pytest.mark.parametrize("model", ["sasrec", "gru4rec"])
def test_dropout_and_weight_decay_have_an_effect(model: str, toy: RecDataModule) -> None:
    batch, made = next(iter(toy.train_dataloader())), build(model, toy, dropout=0.5, weight_decay=0.25)
    assert made.losses(batch)["loss"].item() != made.losses(batch)["loss"].item()
    still = build(model, toy, dropout=0.0)
    assert still.losses(batch)["loss"].item() == still.losses(batch)["loss"].item()
    optimizer = made.configure_optimizers()
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.25}


def test_attention_dropout_has_an_effect(toy: RecDataModule) -> None:
    batch, model = next(iter(toy.train_dataloader())), build("sasrec", toy, dropout=0.0, attention_dropout=0.5)
    assert model.losses(batch)["loss"].item() != model.losses(batch)["loss"].item()
