import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.retrieval import exact


def rounded(rows: Tensor, library: Tensor, rounded: bool, out: Tensor) -> None:
    """Rounds as a processor with units for bf16 does, on any processor."""
    if rounded:
        rows, library = rows.bfloat16().float(), library.bfloat16().float()
    out.copy_(rows @ library.T)


@pytest.mark.parametrize("spread", [1.0, 0.05])  # the second has more near neighbours than there are candidates
def test_what_rounding_hides_is_found_all_the_same(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    library = F.normalize(torch.randn(1, 24) + spread * torch.randn(700, 24), dim=1)
    asked: list[int] = []

    def spy(rows: Tensor, library: Tensor, round_them: bool, out: Tensor) -> None:
        asked.extend([len(rows)] if not round_them else [])
        rounded(rows, library, round_them, out)

    monkeypatch.setattr(exact, "_product", spy)
    monkeypatch.setattr(exact, "ELEMENTS", 90 * 704)  # several blocks, the last one smaller
    cosine = library @ library.T
    expected = cosine.topk(9, dim=1)
    found = exact.search(library, 9)
    torch.testing.assert_close(cosine.gather(1, found), expected.values, rtol=0, atol=1e-6)  # what nearly ties may swap
    assert found.sort(dim=1).values.diff(dim=1).all()
    assert (sum(asked) == 700) == (spread < 1)  # rounding leaves all in doubt, or hardly any
    coarse = torch.empty(700, 700)
    rounded(library, library, True, coarse)
    assert (cosine.gather(1, coarse.topk(9, dim=1).indices) < expected.values - 1e-6).any()


@pytest.mark.parametrize("columns", [5 * exact.GROUP, 5 * exact.GROUP + 17, exact.GROUP - 1])
def test_largest_equals_topk(columns: int) -> None:
    torch.manual_seed(0)
    values = torch.randn(7, columns)
    values[:, columns // 2 : columns // 2 + 30] = -torch.inf
    for k in (1, 4, 5, 6, min(200, columns - 30)):
        ours, plain = exact.largest(values, k), values.topk(k, dim=1)
        assert torch.equal(ours.values, plain.values)
        assert torch.equal(ours.columns, plain.indices)


def test_everything_may_be_asked_for() -> None:
    library = F.normalize(torch.randn(5, 3), dim=1)
    assert exact.search(library, 5).sort(dim=1).values.tolist() == [[0, 1, 2, 3, 4]] * 5
