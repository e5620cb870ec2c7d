import dataclasses
from types import SimpleNamespace

import pytest
import torch

from mmrec.batch import EvalBatch
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.evaluation import EvalLoader
from mmrec.data.loaders.indexing import Process
from mmrec.data.schema import Split
from mmrec.errors import Diverged, InvalidArgument, UserError
from mmrec.models import GRU4Rec, LightGCN, MMRaclKal, Popularity, SASRec
from mmrec.testing import build_model


def first_test_batch(data: RecDataModule) -> EvalBatch:
    return next(iter(data.test_dataloader()))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_refused_wherever_items_are_ranked_or_listed(
    bad: float, toy: RecDataModule
) -> None:
    model, batch = build_model(Popularity, toy), first_test_batch(toy)
    model.counts[3] = bad
    ways = (model.ranks, lambda batch: model.recommend(batch, 5), *(
        lambda batch, step=step: step(batch, 0) for step in (model.validation_step, model.test_step, model.predict_step)
    ))  # fmt: skip
    for way in ways:
        with pytest.raises(Diverged, match="score that is not finite"):
            way(batch)


@pytest.mark.parametrize("model", [SASRec, GRU4Rec, MMRaclKal])
def test_a_model_with_nan_weights_refuses_to_recommend(model: type, toy: RecDataModule) -> None:
    built = build_model(model, toy).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.fill_(torch.nan)
    with pytest.raises(Diverged, match="score that is not finite"), torch.no_grad():
        built.recommend(first_test_batch(toy), 5)


def longer_windows(batch: EvalBatch) -> EvalBatch:
    """Return the batch with whole histories in the windows."""
    starts, counts = batch.earlier_offsets[:-1].tolist(), batch.earlier_offsets.diff().tolist()
    rows = [
        torch.cat([batch.earlier[start : start + count], window[window > 0]])
        for start, count, window in zip(starts, counts, batch.items, strict=True)
    ]
    items = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    nothing = torch.empty(0, dtype=torch.int64)
    times = torch.zeros_like(items)
    return dataclasses.replace(
        batch, items=items, earlier=nothing, earlier_offsets=torch.zeros_like(batch.earlier_offsets),
        clock=type(batch.clock)(times, times),
    )  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("model", [SASRec, MMRaclKal])
def test_windows_longer_than_max_length_keep_the_newest_items(model: type, toy: RecDataModule) -> None:
    built, batch = build_model(model, toy).eval(), first_test_batch(toy)
    longer = longer_windows(batch)
    assert longer.items.shape[1] > toy.max_length == batch.items.shape[1]
    torch.testing.assert_close(built.score(longer), built.score(batch))
    assert torch.equal(built.recommend(longer, 5)[1], built.recommend(batch, 5)[1])


@pytest.mark.parametrize("model", [SASRec, GRU4Rec, MMRaclKal])
def test_an_empty_window_is_refused(model: type, toy: RecDataModule) -> None:
    batch = first_test_batch(toy)
    batch.items[2] = 0
    with pytest.raises(InvalidArgument, match=r"^items has an empty window in row 2: a window has at least one item$"):
        build_model(model, toy).eval().recommend(batch, 5)


@pytest.mark.parametrize(
    ("precision", "clip", "fused"),
    [("bf16-mixed", 1.0, False), ("16-mixed", 0.5, False), ("bf16-mixed", None, True), ("32-true", 1.0, True)],
)
def test_adamw_is_fused_unless_gradients_are_clipped_under_mixed_precision(
    precision: str, clip: float | None, fused: bool, toy: RecDataModule
) -> None:
    model = build_model(LightGCN, toy)
    assert model.configure_optimizers().defaults["fused"]
    model.trainer = SimpleNamespace(precision=precision, gradient_clip_val=clip)
    assert model.configure_optimizers().defaults["fused"] == fused


@torch.no_grad()
def test_a_process_without_a_held_out_interaction_takes_part_in_the_evaluation(toy: RecDataModule) -> None:
    """With one interaction on two processes, the second gets one empty batch."""
    one, model = toy.catalog.instances(Split.TEST)[:1], build_model(Popularity, toy)
    loaders = [EvalLoader(toy.catalog, one, max_length=8, batch_size=64, process=Process(rank, 2)) for rank in (0, 1)]
    assert [[len(batch.user) for batch in loader] for loader in loaders] == [[1], [0]]
    (empty,) = loaders[1]
    for step in (model.validation_step, model.test_step):
        model.begin_evaluation()
        step(empty, 0)
        assert [len(state[0]) for state in (model.metrics.instances, model.metrics.ranks)] == [0, 0]
        step(next(iter(loaders[0])), 0)
        model.metrics.compute()
        assert model.metrics.table[0].tolist() == one.tolist()
    users, items, scores = model.predict_step(empty, 0)
    assert (len(users), items.shape, scores.shape) == (0, (0, 10), (0, 10))


def test_data_without_training_sequences_is_refused(toy: RecDataModule) -> None:
    data = RecDataModule(toy.source, prepare=toy.options, root=str(toy.root))
    catalog = Catalog(toy.catalog.folder)
    catalog.split.fill_(int(Split.VALID))
    data.__dict__["catalog"] = catalog
    with pytest.raises(UserError, match="no user has two training interactions"):
        data.train_dataloader()
