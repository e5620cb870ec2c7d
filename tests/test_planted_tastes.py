"""Each planted taste of the toy shop is found by the part of the model made for it, and missed without that part."""

import polars as pl
import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.loaders.indexing import EpochSeed
from mmrec.data.loaders.windows import TrainLoader
from mmrec.data.schema import Split
from mmrec.metrics.ranking import ndcg
from mmrec.models.recommender import Recommender
from tests.contracts.conftest import build

EPOCHS = 25


def ndcg_by_taste(model: Recommender, data: RecDataModule) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        model.begin_evaluation()
        for batch in data.eval_dataloader(Split.TEST):
            model.metrics.update(batch.instance, model.ranks(batch))
        model.metrics.compute()
        model.end_evaluation()
    assert model.metrics.table is not None
    instances, ranks = model.metrics.table
    tastes = dict(pl.read_csv(f"{data.source.path}/tastes.csv").iter_rows())
    labels = [tastes[data.catalog.user_ids[user]] for user in data.catalog.user_of(instances)]
    values = ndcg(ranks, 10)
    return {taste: values[torch.tensor([label == taste for label in labels])].mean().item() for taste in set(labels)}


def train(name: str, data: RecDataModule) -> dict[str, float]:
    """Train as the trainer does, with a higher learning rate to save time; the bounds below are wide."""
    model = build(name, data, **({} if name == "popularity" else {"lr": 3e-3}))
    optimizer = model.configure_optimizers()
    if optimizer is None:
        return ndcg_by_taste(model, data)
    epochs = iter(range(EPOCHS))
    loader = TrainLoader(data.catalog.train, max_length=8, batch_size=64, epoch_seed=EpochSeed(0, lambda: next(epochs)))
    for _ in range(EPOCHS):
        model.refresh_neighbours()
        for batch in loader:
            optimizer.zero_grad()
            model.losses(batch)["loss"].backward()
            optimizer.step()
    return ndcg_by_taste(model, data)


@pytest.fixture(scope="module")
def found(toy: RecDataModule) -> dict[str, dict[str, float]]:
    ablations = [f"mm_racl_kal-no_{part}" for part in ("image", "text", "static", "dynamic")]
    names = ["popularity", "mm_racl_kal", *ablations]
    return {name: train(name, toy) for name in names}


def test_the_full_model_finds_every_taste_and_beats_popularity(found: dict[str, dict[str, float]]) -> None:
    full, popularity = found["mm_racl_kal"], found["popularity"]
    assert all(value > 0.12 for value in full.values()), full
    assert sum(full.values()) > 8 * sum(popularity.values())


@pytest.mark.parametrize(
    ("part", "taste"), [("image", "image"), ("text", "text"), ("static", "long_term"), ("dynamic", "order")]
)
def test_a_taste_is_missed_without_its_part(found: dict[str, dict[str, float]], part: str, taste: str) -> None:
    full, without = found["mm_racl_kal"], found[f"mm_racl_kal-no_{part}"]
    assert without[taste] < 0.5 * full[taste]
    others = [name for name in ("image", "text", "order") if name != taste]
    if part in ("image", "text"):  # the other modality and the order are still found
        assert all(without[name] > 0.5 * full[name] for name in others), (full, without)
