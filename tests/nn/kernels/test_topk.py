import pytest
import torch

from mmrec.nn.kernels.topk import GROUP, largest


@pytest.mark.parametrize("columns", [5 * GROUP, 5 * GROUP + 17, GROUP - 1])
def test_largest_equals_topk(columns: int) -> None:
    torch.manual_seed(0)
    values = torch.randn(7, columns)
    values[:, columns // 2 : columns // 2 + 30] = -torch.inf
    for k in (1, 4, 5, 6, min(200, columns - 30)):
        ours, plain = largest(values, k), values.topk(k, dim=1)
        assert torch.equal(ours.values, plain.values)
        assert torch.equal(ours.columns, plain.indices)
