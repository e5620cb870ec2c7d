import pytest
import torch

from mmrec.nn.kernels.precision import reduced_precision


def test_the_precision_of_the_user_is_restored_after_an_error() -> None:
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError), reduced_precision(True):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert torch.backends.mkldnn.matmul.fp32_precision == before
