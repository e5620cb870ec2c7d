import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mmrec.retrieval import exact


def product(rows: Tensor, library: Tensor, reduced: bool, out: Tensor) -> None:
    """Multiply bf16 factors, as a CPU with matrix units for bf16 does, on any CPU."""
    if reduced:
        rows, library = rows.bfloat16().float(), library.bfloat16().float()
    out.copy_(rows @ library.T)


@pytest.mark.parametrize("spread", [1.0, 0.05])  # with the second there are more near neighbours than candidates
def test_the_result_is_exact_despite_reduced_precision(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    library = F.normalize(torch.randn(1, 24) + spread * torch.randn(700, 24), dim=1)
    searched_again: list[int] = []

    def spy(rows: Tensor, library: Tensor, reduced: bool, out: Tensor) -> None:
        searched_again.extend([] if reduced else [len(rows)])
        product(rows, library, reduced, out)

    monkeypatch.setattr(exact, "_product", spy)
    monkeypatch.setattr(exact, "ELEMENTS", 90 * 704)  # several blocks, the last one smaller
    cosine = library @ library.T
    expected = cosine.topk(9, dim=1)
    found = exact.search(library, 9)
    # Items that nearly tie may change places.
    torch.testing.assert_close(cosine.gather(1, found), expected.values, rtol=0, atol=1e-6)
    assert found.sort(dim=1).values.diff(dim=1).all()
    assert (sum(searched_again) == 700) == (spread < 1)  # all rows are in doubt, or almost none
    coarse = torch.empty(700, 700)
    product(library, library, True, coarse)
    assert (cosine.gather(1, coarse.topk(9, dim=1).indices) < expected.values - 1e-6).any()


def test_k_may_be_the_number_of_rows() -> None:
    library = F.normalize(torch.randn(5, 3), dim=1)
    assert exact.search(library, 5).sort(dim=1).values.tolist() == [[0, 1, 2, 3, 4]] * 5
