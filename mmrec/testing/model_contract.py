"""What must hold for every model: inherit a contract, name the model's class, and pytest collects the tests."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from mmrec.batch import PAD, EvalBatch, PairBatch, TrainBatch, TrainsOn
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.evaluation import EvalLoader
from mmrec.data.schema import Split
from mmrec.models.recommender import Recommender
from mmrec.nn.kernels.precision import set_loss_precision
from mmrec.testing.build import build_model
from mmrec.testing.data import toy_data


class ModelContract:
    """The tests of every model; use it directly for a model without parameters.

    Attributes:
        model: the class of the model.
        options: constructor arguments besides those that the data gives.
        trains_on: the values of the model's `trains_on` that this contract is made for.
    """

    model: ClassVar[type[Recommender]]
    options: ClassVar[dict[str, Any]] = {}
    trains_on: ClassVar[tuple[TrainsOn, ...]] = ("nothing",)

    @pytest.fixture
    def data(self) -> RecDataModule:
        """Return the data that the model is tested on; override it for other data."""
        return toy_data()

    @pytest.fixture(autouse=True)
    def full_precision(self) -> Iterator[None]:
        """Compute losses in fp32, so that equal means equal."""
        set_loss_precision("full")
        yield
        set_loss_precision("reduced")

    def build(self, data: RecDataModule, **changes: Any) -> Recommender:
        """Make the model for the data, with the same initial parameters every time."""
        return build_model(self.model, data, **{**self.options, **changes})

    def test_the_contract_is_the_one_for_what_the_model_trains_on(self, data: RecDataModule) -> None:
        assert self.model.trains_on in self.trains_on
        assert (self.model.trains_on == "nothing") == (not list(self.build(data).parameters()))

    @torch.no_grad()
    def test_there_is_one_score_in_fp32_per_user_and_item(self, data: RecDataModule) -> None:
        model, batch = self.build(data).eval(), eval_batch(data)
        scores = model.score(batch)
        assert scores.shape == (len(batch.user), data.n_items)
        assert scores.dtype == torch.float32
        if model.is_dot_product:
            vectors = model.item_vectors()
            assert len(vectors) == data.n_items
            assert model.encode_users(batch).shape == (len(batch.user), vectors.shape[1])

    @torch.no_grad()
    def test_recommended_items_are_real_and_not_in_the_history(self, data: RecDataModule) -> None:
        model, batch = self.build(data).eval(), eval_batch(data)
        for row, items in enumerate(model.recommend(batch, 20)[1].tolist()):
            history = data.catalog.items[data.catalog.offsets[batch.user[row]] : batch.instance[row]].tolist()
            assert PAD not in items
            assert not set(items) & set(history)

    @torch.no_grad()
    def test_ranks_do_not_depend_on_batch_size_and_padding(self, data: RecDataModule) -> None:
        model, rows, ranks = self.build(data).eval(), data.catalog.instances(Split.VALID)[:12], []
        for size in (12, 5, 1):
            batches = list(EvalLoader(data.catalog, rows, max_length=data.max_length, batch_size=size))
            order = torch.cat([batch.instance for batch in batches]).argsort()
            ranks.append(torch.cat([model.ranks(batch) for batch in batches])[order])
        assert torch.equal(ranks[0], ranks[1])
        assert torch.equal(ranks[0], ranks[2])

    def test_state_and_options_restore_the_scores(self, data: RecDataModule) -> None:
        model, saved = self.build(data).eval(), io.BytesIO()
        torch.save({"state": model.state_dict(), "options": dict(model.hparams)}, saved)
        saved.seek(0)
        checkpoint = torch.load(saved, weights_only=True)
        restored = self.model(**checkpoint["options"])
        restored.attach(data.catalog, data.features)
        restored.load_state_dict(checkpoint["state"])
        batch = eval_batch(data)
        with torch.no_grad():
            assert torch.equal(restored.eval().score(batch), model.score(batch))

    def test_held_out_interactions_do_not_reach_the_model(self, data: RecDataModule) -> None:
        """Every buffer and the training loss are the same, whatever is held out."""
        model, other = self.build(data), self.build(data)
        other.attach(with_other_held_out_items(data.catalog), data.features)
        for (name, one), (_, two) in zip(model.named_buffers(), other.named_buffers(), strict=True):
            assert torch.equal(_dense(one), _dense(two)), name
        if model.trains_on != "nothing":
            batch = train_batch(model, data)
            assert seeded_loss(model, batch) == seeded_loss(other, batch)


class TrainedModelContract(ModelContract):
    """The tests of a model with parameters."""

    trains_on: ClassVar[tuple[TrainsOn, ...]] = ("pairs",)

    def test_every_parameter_has_a_finite_gradient(self, data: RecDataModule) -> None:
        model = self.build(data)
        # Two steps, because nothing behind a gate that starts at zero has a gradient before the gate has moved.
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        for batch in islice(data.train_loader(model.trains_on), 2):
            optimizer.zero_grad()
            model.losses(batch)["loss"].backward()
            optimizer.step()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any(), name

    def test_rows_that_grow_with_the_data_are_named(self, data: RecDataModule) -> None:
        """Optional for a model that knows users and items by id alone, which takes no new items."""
        model = self.model.for_data(data, **self.options)
        named = model.row_parameters().keys()
        sizes = {name: getattr(data, name) + 1 for name in ("n_users", "n_items") if name in model.hparams}
        larger = self.model(**{**model.hparams, **sizes}).state_dict()
        grown = {name for name, value in model.state_dict().items() if value.shape != larger[name].shape}
        assert named == grown or not (named or model.read_modalities)

    def test_mixed_precision_trains_and_scores_in_fp32(self, data: RecDataModule) -> None:
        model = self.build(data)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.losses(train_batch(model, data))["loss"]
            scores = model.eval().score(eval_batch(data))
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
        assert scores.dtype == torch.float32

    def test_a_seed_decides_the_loss(self, data: RecDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
        model, losses = self.build(data), []
        for seed in (1, 1, 2):
            monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))  # seed of the loader
            losses.append(seeded_loss(model, train_batch(model, data), seed))
        assert losses[0] == losses[1] != losses[2]

    def test_gradients_are_the_same_every_time_with_two_threads(self, data: RecDataModule) -> None:
        model, threads = self.build(data), torch.get_num_threads()
        batch, gradients = train_batch(model, data), []
        torch.set_num_threads(2)
        try:
            for _ in range(10):  # threads that race differ only sometimes
                torch.manual_seed(1)
                model.zero_grad()
                model.losses(batch)["loss"].backward()
                gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        finally:
            torch.set_num_threads(threads)
        for others in gradients[1:]:
            assert all(torch.equal(one, other) for one, other in zip(gradients[0], others, strict=True))

    def test_one_batch_can_be_overfitted(self, data: RecDataModule) -> None:
        model = self.build(data).eval()  # without dropout
        batch = train_batch(model, data)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        first = losses = model.losses(batch)
        for _ in range(100):
            optimizer.zero_grad()
            losses["loss"].backward()
            optimizer.step()
            losses = model.losses(batch)
            if losses["loss_rec"] < self.overfitted_loss * first["loss_rec"]:
                return
        pytest.fail(f"after 100 steps on one batch the loss is {losses['loss_rec']:.3f}, from {first['loss_rec']:.3f}")

    overfitted_loss: ClassVar[float] = 0.5
    """Bound of the loss after overfitting one batch, as a multiple of the first loss."""


class SequenceModelContract(TrainedModelContract):
    """The tests of a model that trains on windows of sequences."""

    trains_on: ClassVar[tuple[TrainsOn, ...]] = ("windows",)

    def test_later_items_do_not_change_the_loss_at_earlier_positions(self, data: RecDataModule) -> None:
        model = self.build(data).eval()
        batch = train_batch(model, data)
        assert isinstance(batch, TrainBatch)
        early = dataclasses.replace(batch, targets=batch.targets.clone())
        early.targets[:, 3:] = PAD
        early.n_targets = int((early.targets != PAD).sum())
        changed = dataclasses.replace(early, items=early.items.clone())
        later = changed.items[:, 3:]
        changed.items[:, 3:] = torch.where(later == PAD, PAD, 1 + later % (data.n_items - 1))
        losses = []
        for variant in (early, changed):
            # Replacement draws by position, so the first three positions draw the same in both variants.
            torch.manual_seed(0)
            losses.append(model.losses(variant)["loss_rec"])
        torch.testing.assert_close(losses[0], losses[1])


def eval_batch(data: RecDataModule, size: int = 8) -> EvalBatch:
    """Return the first held-out interactions of the test split."""
    rows = data.catalog.instances(Split.TEST)[:size]
    return next(iter(EvalLoader(data.catalog, rows, max_length=data.max_length, batch_size=size)))


def train_batch(model: Recommender, data: RecDataModule) -> TrainBatch | PairBatch:
    """Return the first batch that the model trains on."""
    batch = next(iter(data.train_loader(model.trains_on)))
    assert isinstance(batch, TrainBatch | PairBatch)
    return batch


def seeded_loss(model: Recommender, batch: TrainBatch | PairBatch, seed: int = 0) -> float:
    """Return the loss of a batch with everything that is drawn from one seed."""
    torch.manual_seed(seed)
    return model.losses(batch)["loss"].item()


def with_other_held_out_items(catalog: Catalog) -> Catalog:
    """Return the same dataset with other items and other times in every held-out interaction."""
    planted = Catalog(catalog.folder)
    held_out = planted.split != int(Split.TRAIN)
    planted.timestamp[held_out] += 1_000_003
    planted.items[held_out] = 1 + planted.items[held_out] % (planted.n_items - 1)
    assert not torch.equal(planted.items, catalog.items)
    return planted


def _dense(x: Tensor) -> Tensor:
    return x.to_dense() if x.layout == torch.sparse_csr else x
