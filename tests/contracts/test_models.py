"""What holds for every model, present and future (no edit here when one is added)."""

import dataclasses
import io
from itertools import islice

import pytest
import torch

from mmrec.batch import PAD, EvalBatch, PairBatch, TrainBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.evaluation import EvalLoader
from mmrec.data.schema import Split
from mmrec.models.recommender import Recommender
from tests.contracts.conftest import MODELS, build


def eval_batch(data: RecDataModule, size: int = 8) -> EvalBatch:
    rows = data.catalog.instances(Split.TEST)[:size]
    return next(iter(EvalLoader(data.catalog, rows, data.max_length, size)))


def train_batch(model: Recommender, data: RecDataModule) -> TrainBatch | PairBatch:
    return next(iter(data.train_loader(model.trains_on)))


@torch.no_grad()
def test_shapes(any_model: Recommender, toy: RecDataModule) -> None:
    batch = eval_batch(toy)
    assert any_model.score(batch).shape == (8, toy.n_items)
    assert any_model.score(batch).dtype == torch.float32
    if type(any_model).score is Recommender.score:
        vectors = any_model.item_vectors()
        assert any_model.encode_users(batch).shape == (8, vectors.shape[1])
        assert len(vectors) == toy.n_items


def test_what_trains_on_nothing_has_no_parameters(any_model: Recommender) -> None:
    assert (any_model.trains_on == "nothing") == (not list(any_model.parameters()))


@torch.no_grad()
def test_recommendations_are_new_real_items(any_model: Recommender, toy: RecDataModule) -> None:
    batch = eval_batch(toy)
    for row, items in enumerate(any_model.recommend(batch, 20)[1].tolist()):
        history = toy.catalog.items[toy.catalog.offsets[batch.user[row]] : batch.instance[row]].tolist()
        assert PAD not in items
        assert not set(items) & set(history)


@torch.no_grad()
def test_batch_split_and_padding_change_nothing(any_model: Recommender, toy: RecDataModule) -> None:
    rows = toy.catalog.instances(Split.VALID)[:12]
    ranks = []
    for size in (12, 5, 1):
        batches = list(EvalLoader(toy.catalog, rows, toy.max_length, size))
        order = torch.cat([batch.instance for batch in batches]).argsort()
        ranks.append(torch.cat([any_model.ranks(batch) for batch in batches])[order])
    assert torch.equal(ranks[0], ranks[1])
    assert torch.equal(ranks[0], ranks[2])


def test_finite_gradients_on_every_parameter(trainable: Recommender, toy: RecDataModule) -> None:
    # Two steps: behind a gate that starts at zero nothing has a gradient before the gate has moved.
    optimizer = torch.optim.SGD(trainable.parameters(), lr=1.0)
    for batch in islice(toy.train_loader(trainable.trains_on), 2):
        optimizer.zero_grad()
        trainable.losses(batch)["loss"].backward()
        optimizer.step()
    for name, parameter in trainable.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_mixed_precision_trains_and_ranks(trainable: Recommender, toy: RecDataModule) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = trainable.losses(train_batch(trainable, toy))["loss"]
        scores = trainable.eval().score(eval_batch(toy))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in trainable.parameters() if p.grad is not None)
    assert scores.dtype == torch.float32


def test_a_future_item_changes_nothing(sequential: Recommender, toy: RecDataModule) -> None:
    """The loss at early positions must not see what comes later in the window."""
    batch = train_batch(sequential, toy)
    early = dataclasses.replace(batch, targets=batch.targets.clone())
    early.targets[:, 3:] = PAD
    early.n_targets = int((early.targets != PAD).sum())
    changed = dataclasses.replace(early, items=early.items.clone())
    changed.items[:, 3:] = torch.where(changed.items[:, 3:] == PAD, PAD, 1 + changed.items[:, 3:] % (toy.n_items - 1))
    sequential.eval()
    losses = []
    for variant in (early, changed):
        torch.manual_seed(0)
        # Replacement draws by position, so the first three positions draw alike in both variants.
        losses.append(sequential.losses(variant)["loss_rec"])
    torch.testing.assert_close(losses[0], losses[1])


def test_checkpoint_round_trip_gives_the_same_scores(any_model: Recommender, toy: RecDataModule) -> None:
    saved = io.BytesIO()
    torch.save(any_model.state_dict(), saved)
    saved.seek(0)
    name = next(key for key, config in MODELS.items() if config["class_path"].endswith(type(any_model).__name__))
    other = type(any_model)(**dict(any_model.hparams)) if any_model.hparams else build(name, toy)
    other.attach(toy.catalog, toy.features)
    other.load_state_dict(torch.load(saved, weights_only=True))
    batch = eval_batch(toy)
    with torch.no_grad():
        assert torch.equal(other.eval().score(batch), any_model.score(batch))


def test_same_seed_same_loss(trainable: Recommender, toy: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for seed in (1, 1, 2):
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))  # of the loader
        batch = train_batch(trainable, toy)
        torch.manual_seed(seed)
        losses.append(trainable.losses(batch)["loss"].item())
    assert losses[0] == losses[1] != losses[2]


def test_same_seed_same_gradients_with_two_threads(trainable: Recommender, toy: RecDataModule) -> None:
    batch, threads = train_batch(trainable, toy), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        times = []
        for _ in range(10):  # threads that race do not differ each time
            torch.manual_seed(1)
            trainable.zero_grad()
            trainable.losses(batch)["loss"].backward()
            times.append([parameter.grad.clone() for parameter in trainable.parameters() if parameter.grad is not None])
    finally:
        torch.set_num_threads(threads)
    for gradients in times[1:]:
        assert all(torch.equal(one, other) for one, other in zip(gradients, times[0], strict=True))


def test_overfits_one_batch(trainable: Recommender, toy: RecDataModule) -> None:
    batch = train_batch(trainable, toy)
    optimizer = torch.optim.AdamW(trainable.parameters(), lr=1e-2)
    trainable.eval()  # no dropout
    first = trainable.losses(batch)["loss_rec"].item()
    for _ in range(100):
        loss = trainable.losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # A static pool of a user's items cannot tell the positions of a window apart: it has to learn, not to overfit.
    bound = 0.95 if getattr(trainable, "dynamic", True) is None else 0.5
    assert trainable.losses(batch)["loss_rec"].item() < bound * first


@pytest.mark.parametrize("name", [name for name in MODELS if "-" in name])
def test_every_ablation_changes_what_it_switches(name: str, toy: RecDataModule) -> None:
    """From the same parameters, the variant has another loss or scores otherwise than the full model."""
    full, variant = build(name.partition("-")[0], toy), build(name, toy)
    batch = train_batch(full, toy)
    variant.load_state_dict(full.state_dict(), strict=False)
    losses, scores = [], []
    for model in (full.eval(), variant.eval()):
        torch.manual_seed(0)
        losses.append({key: value.item() for key, value in model.losses(batch).items()})
        with torch.no_grad():
            scores.append(model.score(eval_batch(toy)))
    assert losses[0] != losses[1] or not torch.equal(*scores)
