"""The scores of a history against naive loops."""

import math

import torch

from mmrec.batch import SequenceBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.nn.history_scores import ContentScores, CoOccurrenceScores, Histories
from mmrec.nn.item_features import ItemFeatures

DECAY = 0.6


def test_histories_hold_the_items_up_to_each_position_with_their_age(toy: RecDataModule) -> None:
    batch = next(iter(toy.train_dataloader()))
    place = batch.places()
    histories = Histories.of(batch, place)
    for number in range(0, histories.places, 53):
        row, position = int(place[0][number]), int(place[1][number])
        own = histories.row == number
        assert histories.item[own].tolist() == batch.items[row, : position + 1].tolist()
        assert histories.age[own].tolist() == list(range(position, -1, -1))


def last_places(batch: SequenceBatch) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(len(batch.user)), batch.lengths - 1


def weighted(history: list[int], weight: torch.Tensor) -> torch.Tensor:
    weights = [DECAY ** (len(history) - 1 - t) for t in range(len(history))]
    return sum(w * weight[item] for w, item in zip(weights, history, strict=True)) / sum(weights)


def naive_co_occurrence(data: RecDataModule, shrinkage: float) -> torch.Tensor:
    view = data.catalog.train
    baskets = [set(view.items[view.offsets[user] : view.offsets[user + 1]].tolist()) for user in range(view.n_users)]
    count = [sum(item in basket for basket in baskets) for item in range(view.n_items)]
    weight = torch.zeros(view.n_items, view.n_items)
    for basket in baskets:
        for j in basket:
            for i in basket - {j}:
                weight[j, i] += 1 / math.sqrt(len(basket)) / (math.sqrt(count[j] * count[i]) + shrinkage)
    return weight


def test_co_occurrence_scores_equal_the_naive_loop(toy: RecDataModule) -> None:
    scores = CoOccurrenceScores(10_000, DECAY, shrinkage=3.0)
    scores.set_view(toy.catalog.train)
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    found = scores(Histories.of(batch, last_places(batch)))
    weight = naive_co_occurrence(toy, 3.0)
    for row in range(0, len(batch.user), 31):
        history = batch.items[row, : int(batch.lengths[row])].tolist()
        torch.testing.assert_close(found[row], weighted(history, weight), rtol=1e-4, atol=1e-6)


def test_content_scores_are_cosines_of_the_nearest(toy: RecDataModule) -> None:
    features = ItemFeatures(toy.n_items, text_dim=toy.text_dim, image_dim=toy.image_dim, text=True, image=True)
    features.attach(toy.features)
    scores = ContentScores(7, DECAY, image_share=0.5)
    scores.set_features(features)
    cosine = features.rows("text") @ features.rows("text").T + 0.5 * features.rows("image") @ features.rows("image").T
    cosine.fill_diagonal_(-9.0)
    cosine[:, 0] = -9.0
    weight = torch.where(cosine >= cosine.topk(7, dim=1).values[:, -1:], cosine.clamp(min=0), 0.0)
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    found = scores(Histories.of(batch, last_places(batch)))
    for row in range(0, len(batch.user), 17):
        history = batch.items[row, : int(batch.lengths[row])].tolist()
        torch.testing.assert_close(found[row], weighted(history, weight), rtol=1e-4, atol=1e-5)
