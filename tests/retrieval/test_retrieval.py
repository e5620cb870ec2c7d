import sys
from functools import cache

import pytest
import torch
from torch.nn import functional as F

from mmrec.batch import PAD
from mmrec.errors import InvalidArgument
from mmrec.retrieval import index
from mmrec.retrieval.augment import replace_with_neighbours
from mmrec.retrieval.index import nearest_neighbours
from mmrec.retrieval.neighbour_table import NeighbourTable


def brute_force(vectors: torch.Tensor, k: int) -> list[set[int]]:
    similarity = F.normalize(vectors, dim=1) @ F.normalize(vectors, dim=1).T
    similarity.fill_diagonal_(-2.0)
    similarity[:, PAD] = -2.0
    return [set(row.tolist()) for row in similarity.topk(k, dim=1).indices]


@pytest.mark.parametrize("backend", ["faiss", "torch"])
def test_neighbours_equal_brute_force(backend: str) -> None:
    torch.manual_seed(0)
    vectors = torch.randn(200, 16)
    found = nearest_neighbours(vectors, 7, backend)
    assert [set(row.tolist()) for row in found[1:]] == brute_force(vectors, 7)[1:]
    own = (F.normalize(vectors[1:], dim=1)[:, None] * F.normalize(vectors[found[1:]], dim=2)).sum(-1)
    assert (own.diff(dim=1) <= 1e-6).all()  # nearest first


@pytest.mark.parametrize("backend", ["faiss", "torch"])
def test_identical_and_zero_vectors(backend: str) -> None:
    vectors = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    vectors[1:6] = vectors[1]  # five identical items, none of which may be its own neighbour
    vectors[7] = 0.0
    found = nearest_neighbours(vectors, 3, backend)
    assert not (found[1:7] == torch.arange(1, 7)[:, None]).any()
    assert found[7].tolist() == [7, 7, 7]
    assert found[PAD].tolist() == [PAD] * 3


def test_inverted_lists_find_most_neighbours_and_never_the_item_itself() -> None:
    torch.manual_seed(0)
    centres = torch.randn(40, 16)
    vectors = torch.cat([torch.zeros(1, 16), centres.repeat(50, 1) + 0.2 * torch.randn(2000, 16)])
    found, expected = nearest_neighbours(vectors, 10, "faiss_ivf"), nearest_neighbours(vectors, 10, "faiss")
    assert not (found[1:] == torch.arange(1, 2001)[:, None]).any()
    assert (found[1:, :, None] == expected[1:, None]).any(dim=2).float().mean() > 0.9


def test_rows_with_too_few_neighbours_end_in_the_item_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PROBED", 1)
    vectors = torch.cat([torch.ones(1, 4), torch.eye(4).repeat(60, 1)])  # identical vectors that fill four cells
    found = nearest_neighbours(vectors, 100, "faiss_ivf")
    assert (found >= 1).any()
    assert (found[1:] == torch.arange(1, 241)[:, None]).any()
    assert found.min() >= 0


def test_without_faiss_the_exact_search_stands_in_and_one_line_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = torch.randn(50, 4)
    expected = nearest_neighbours(vectors, 5, "torch")
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(index, "_has_faiss", cache(index._has_faiss.__wrapped__))
    for _ in range(2):
        assert torch.equal(nearest_neighbours(vectors, 5, "faiss"), expected)
    assert caplog.text.count("mmrec[cpu]") == 1
    with pytest.raises(InvalidArgument, match="mmrec"):
        nearest_neighbours(vectors, 5, "faiss_ivf")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="torch, faiss, faiss_ivf, but is annoy"):
        nearest_neighbours(torch.randn(10, 4), 2, "annoy")  # type: ignore[arg-type]


def test_too_many_neighbours_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="between 1 and 8"):
        nearest_neighbours(torch.randn(10, 4), 9)


def test_replacement_keeps_padding_and_its_rate() -> None:
    torch.manual_seed(0)
    neighbours = torch.stack([torch.arange(50) + 100, torch.arange(50) + 200], dim=1)
    items = torch.randint(1, 50, (400, 20))
    items[:, 15:] = PAD
    replaced = replace_with_neighbours(items, neighbours, 0.3)
    changed = replaced != items
    assert torch.equal(replaced[:, 15:], items[:, 15:])
    assert (((replaced - items == 100) | (replaced - items == 200)) == changed).all()
    assert abs(changed[:, :15].float().mean().item() - 0.3) < 0.02
    assert torch.equal(replace_with_neighbours(items, neighbours, 0.0), items)


def test_churn_is_the_proportion_of_new_neighbours() -> None:
    table = NeighbourTable(2, "torch")
    angle = torch.tensor([0.0, 0.0, 0.1, 0.2, 3.0, 3.1, 3.2])
    vectors = torch.stack([angle.cos(), angle.sin()], dim=1)
    assert table.refresh(vectors) is None
    assert table.refresh(vectors) == 0.0
    vectors[[3, 6]] = vectors[[6, 3]]  # both groups of three exchange one member
    assert table.refresh(vectors) == pytest.approx((4 * 0.5 + 2 * 1.0) / 6)
