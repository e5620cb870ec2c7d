"""What holds for SASRec and for GRU4Rec."""

import dataclasses

import pytest
import torch

from mmrec.batch import PAD
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.losses.objective import NextItemLoss
from mmrec.nn.kernels.precision import set_loss_precision
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


@pytest.mark.parametrize("model", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("loss", ["sampled_softmax", "gbce", "bce"])
def test_sparse_ids_have_the_same_losses_gradients_and_first_step(model: str, loss: str, toy: RecDataModule) -> None:
    set_loss_precision("full")
    batches = list(toy.train_dataloader())
    dense, sparse = (
        build(model, toy, loss=loss, n_negatives=3, gbce_t=0.5, dropout=0.0, sparse_ids=sparse)
        for sparse in (False, True)
    )
    optimizers = [made.configure_optimizers() for made in (dense, sparse)]
    losses = []
    for made in (dense, sparse):
        torch.manual_seed(1)
        losses.append(made.losses(batches[0])["loss"])
        losses[-1].backward()
    set_loss_precision("reduced")
    torch.testing.assert_close(*losses)
    assert sparse.item_encoder.id.weight.grad.is_sparse
    for ours, theirs in zip(sparse.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.to_dense(), theirs.grad, rtol=1e-4, atol=1e-6)
    ids, same = sparse.item_encoder.id.weight, dense.item_encoder.id.weight
    # Where a gradient is near Adam's ε, the two differ: SparseAdam does not correct ε for the first steps.
    clear = (same.grad.abs() > 1e-5) | (same.grad == 0)
    for optimizer in optimizers:
        optimizer.step()
    torch.testing.assert_close(ids[1:][clear[1:]], same[1:][clear[1:]], rtol=1e-3, atol=1e-4)
    assert not ids[PAD].any()


def test_a_sparse_step_moves_the_ids_it_uses_alone(toy: RecDataModule) -> None:
    """A dense step also moves ids of earlier steps, whose moments have not yet decayed."""
    batch, moved = next(iter(toy.train_dataloader())), {}
    few = dataclasses.replace(batch, items=batch.items.clamp(max=1), targets=batch.targets.clamp(max=1))
    for sparse_ids in (True, False):
        made = build("sasrec", toy, loss="sampled_softmax", n_negatives=3, dropout=0.0, sparse_ids=sparse_ids)
        optimizer, ids = made.configure_optimizers(), made.item_encoder.id.weight
        torch.manual_seed(1)
        for step in (batch, few):
            before = ids.detach().clone()
            optimizer.zero_grad()
            made.losses(step)["loss"].backward()
            optimizer.step()
        moved[sparse_ids] = set((ids != before).any(dim=1).nonzero().flatten().tolist())
        if sparse_ids:
            assert moved[sparse_ids] == set(ids.grad.coalesce().indices()[0].tolist())
    assert moved[True] < moved[False]


def test_the_state_of_a_joint_optimizer_can_be_restored(toy: RecDataModule) -> None:
    batch, ends = next(iter(toy.train_dataloader())), []
    for resumed in (False, True):
        made = build("sasrec", toy, loss="sampled_softmax", dropout=0.0, sparse_ids=True)
        optimizer = made.configure_optimizers()
        for step in range(3):
            if resumed and step == 2:
                state = optimizer.state_dict()
                optimizer = made.configure_optimizers()
                optimizer.load_state_dict(state)
            for group in optimizer.param_groups:
                group["lr"] = 0.1 / (1 + step)
            torch.manual_seed(step)
            optimizer.zero_grad()
            optimizer.step(lambda made=made: made.losses(batch)["loss"].backward())
        ends.append(made.item_encoder.id.weight.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "cross_entropy"}, "sparse_ids must be false with loss cross_entropy"),
        ({"text": True}, "sparse_ids must be false unless item_id is true and text and image are false"),
        ({"weight_decay": 0.1}, "weight_decay must be 0 with sparse_ids"),
    ],
)
def test_sparse_ids_refuse_what_reads_all_rows(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("sasrec", toy, **{"loss": "sampled_softmax", "sparse_ids": True, **changes})
