import torch
from torch.nn import functional as F

from mmrec.nn.kernels.unit import unit


def test_value_and_gradient_equal_those_of_normalize() -> None:
    vectors = torch.randn(3, 5, 4)
    vectors[1, 2] = 0
    weight = torch.randn(3, 5, 4)
    plain, ours = vectors.clone().requires_grad_(), vectors.clone().requires_grad_()
    (F.normalize(plain, dim=-1) * weight).sum().backward()
    (unit(ours) * weight).sum().backward()
    torch.testing.assert_close(unit(ours), F.normalize(plain, dim=-1))
    torch.testing.assert_close(ours.grad, plain.grad)
