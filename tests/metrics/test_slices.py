import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmrec.metrics.slices import head_items, item_slices, slice_metrics

METRICS = ("hr@10", "ndcg@10", "hr@20", "ndcg@20", "mrr")
PAIRS = (("image_present", "image_missing"), ("text_present", "text_missing"), ("head", "tail"))


def dataset(seed: int, n_items: int, n: int, spread: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Popularity (spread + 1 levels), presence of text and image, targets, and ranks with halves."""
    draw = torch.Generator().manual_seed(seed)
    popularity = torch.randint(spread + 1, (n_items,), generator=draw)
    popularity[0] = 0
    text, image = (torch.rand(n_items, generator=draw) < 0.6 for _ in range(2))
    targets = torch.randint(1, n_items, (n,), generator=draw)
    return popularity, text, image, targets, 1 + torch.randint(80, (n,), generator=draw) / 2


def naive(popularity: Tensor, text: Tensor, image: Tensor, targets: Tensor, ranks: Tensor) -> dict[str, dict]:
    """Return the same by a loop over instances, written from the documentation."""
    real = range(1, len(popularity))
    more_popular = {i: sum(int(popularity[j] > popularity[i]) for j in real) for i in real}
    belongs = {
        "image_present": lambda i: bool(image[i]), "image_missing": lambda i: not image[i],
        "text_present": lambda i: bool(text[i]), "text_missing": lambda i: not text[i],
        "neither": lambda i: not text[i] and not image[i],
        "cold": lambda i: popularity[i] < 20, "unseen": lambda i: popularity[i] == 0,
        "head": lambda i: popularity[i] > 0 and more_popular[i] < 0.2 * len(real),
        "tail": lambda i: not (popularity[i] > 0 and more_popular[i] < 0.2 * len(real)),
    }  # fmt: skip
    result: dict[str, dict] = {}
    for name, holds in belongs.items():
        own = [rank for target, rank in zip(targets.tolist(), ranks.tolist(), strict=True) if holds(target)]
        result[name] = dict.fromkeys(METRICS) | {"instances": len(own)}
        for k in (10, 20) if own else ():
            result[name][f"hr@{k}"] = sum(rank <= k for rank in own) / len(own)
            result[name][f"ndcg@{k}"] = sum(1 / math.log2(1 + rank) for rank in own if rank <= k) / len(own)
            result[name]["mrr"] = sum(1 / rank for rank in own) / len(own)
    return result


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), n_items=st.integers(2, 40), n=st.integers(0, 60), spread=st.sampled_from([0, 3, 60])
)
def test_slices_equal_the_naive_loop(seed: int, n_items: int, n: int, spread: int) -> None:
    popularity, text, image, targets, ranks = dataset(seed, n_items, n, spread)
    found = slice_metrics(ranks, targets, item_slices(popularity, text, image), "_uniform100")
    expected = naive(popularity, text, image, targets, ranks)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].pop("instances") == values.pop("instances")
        assert found[name] == {f"{m}_uniform100": v if v is None else pytest.approx(v) for m, v in values.items()}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0, 1, 3, 60]))
def test_slices_add_up_and_do_not_depend_on_item_order(seed: int, spread: int) -> None:
    popularity, text, image, targets, ranks = dataset(seed, 30, 50, spread)
    found = slice_metrics(ranks, targets, item_slices(popularity, text, image))
    for one, other in PAIRS:
        assert found[one]["instances"] + found[other]["instances"] == 50
    assert found["unseen"]["instances"] <= found["cold"]["instances"]
    assert found["neither"]["instances"] <= found["text_missing"]["instances"]
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(29)])
    moved = item_slices(popularity[order], text[order], image[order])
    assert slice_metrics(ranks, order.argsort()[targets], moved) == found


@pytest.mark.parametrize(
    ("popularity", "head"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [9, 8]),
        ([9, 8, 8, 8, 5, 4, 3, 2, 1, 0], [9, 8, 8, 8]),  # all items of the level that crosses the 20 %
        ([5] * 10, [5] * 10),
        ([9, 0, 0, 0, 0, 0, 0, 0, 0, 0], [9]),  # an item without interactions is not popular
        ([0] * 10, []),
        ([9, 8, 7, 6, 5, 4], [9, 8]),  # a fifth of six is rounded up to two
    ],
)
def test_the_head_consists_of_whole_levels_of_popularity(popularity: list[int], head: list[int]) -> None:
    levels = torch.tensor([0, *popularity])
    assert levels[head_items(levels)].tolist() == head
