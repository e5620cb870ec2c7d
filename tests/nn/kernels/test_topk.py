import pytest
import torch

from mmrec.nn.kernels.topk import GROUP, largest


@pytest.mark.parametrize("levels", [None, 40, 1])  # number of different values; None where no two are equal
@pytest.mark.parametrize("columns", [5 * GROUP, 5 * GROUP + 17, GROUP - 1])
def test_largest_equals_the_beginning_of_a_stable_sort(columns: int, levels: int | None) -> None:
    torch.manual_seed(0)
    values = torch.randn(7, columns) if levels is None else torch.randint(levels, (7, columns)).float()
    values[:3, columns // 2 : columns // 2 + 30] = -torch.inf
    plain = values.sort(dim=1, descending=True, stable=True)
    for k in (1, 4, 5, 6, columns - 30, columns):
        ours = largest(values, k)
        assert torch.equal(ours.values, plain.values[:, :k])
        assert torch.equal(ours.columns, plain.indices[:, :k])
