import math
from itertools import combinations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.metrics.beyond_accuracy import BeyondAccuracy, gini

ITEMS = 30


def lists(count: int = 40, length: int = 10) -> tuple[Tensor, Tensor]:
    """Return lists of distinct items, the popular ones more often, and their scores."""
    torch.manual_seed(0)
    weights = torch.arange(ITEMS, dtype=torch.float32).square().expand(count, -1)
    scores = torch.randn(count, length).sort(dim=1, descending=True).values
    scores[3, 4:] = -torch.inf  # a list with four items
    return torch.multinomial(weights, length), scores


def test_measures_equal_naive_loops() -> None:
    items, scores = lists()
    popularity = torch.arange(ITEMS) % 7
    text, image = torch.randn(ITEMS, 16), torch.randn(ITEMS, 8)
    text[::3] = 0  # without a text
    text[0] = image[0] = 0
    metric = BeyondAccuracy(popularity, {"text": text, "image": image})
    metric.update(items, scores)
    shown = [
        [i for i, s in zip(*row, strict=True) if s > -math.inf]
        for row in zip(items.tolist(), scores.tolist(), strict=True)
    ]
    flat = [item for row in shown for item in row]
    counts = sorted(flat.count(item) for item in range(1, ITEMS))
    apart = sum(abs(a - b) for a in counts for b in counts)
    total = popularity[1:].sum().item()
    expected = {
        "coverage@10": len(set(flat)) / (ITEMS - 1),
        "gini@10": apart / (2 * len(counts) * sum(counts)),
        "novelty@10": sum(-math.log2(max(1, popularity[i].item()) / total) for i in flat) / len(flat),
    }
    for name, rows in (("text", text), ("image", image)):
        of_lists = []
        for row in shown:
            pairs = list(combinations([i for i in row if rows[i].any()], 2))
            if pairs:
                of_lists.append(
                    sum(1 - F.cosine_similarity(rows[a], rows[b], dim=0).item() for a, b in pairs) / len(pairs)
                )
        expected[f"{name}_diversity@10"] = sum(of_lists) / len(of_lists)
    assert len(shown[3]) == 4
    assert metric.compute() == pytest.approx(expected, abs=5e-5)


def test_any_batch_split_gives_the_same_numbers() -> None:
    items, scores = lists()
    rows = torch.randn(ITEMS, 16)
    results = []
    for size in (1, 7, 40):
        metric = BeyondAccuracy(torch.ones(ITEMS, dtype=torch.int64), {"text": rows})
        for part in torch.randperm(40).split(size):
            metric.update(items[part], scores[part])
        results.append(metric.compute())
    assert results[0] == pytest.approx(results[1], abs=1e-9)
    assert results[1] == pytest.approx(results[2], abs=1e-9)


def test_without_features_there_is_no_diversity() -> None:
    metric = BeyondAccuracy(torch.ones(ITEMS, dtype=torch.int64), {"image": torch.zeros(ITEMS, 4)})
    metric.update(*lists())
    found = metric.compute()
    assert found["text_diversity@10"] is None
    assert found["image_diversity@10"] is None


def test_gini_of_equal_counts_and_of_a_single_item() -> None:
    assert gini(torch.full((8,), 3)) == 0
    assert gini(torch.tensor([0, 0, 0, 5])) == 0.75
