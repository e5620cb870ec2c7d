import torch

from mmrec.nn.kernels.dropout import Dropout


def test_keeps_the_expectation_and_the_rate() -> None:
    torch.manual_seed(0)
    x = torch.ones(999, 333, requires_grad=True)
    y = Dropout(0.2)(x)
    assert abs((y == 0).float().mean().item() - 0.2) < 0.005
    torch.testing.assert_close(y[y > 0], torch.full_like(y[y > 0], 1.25), rtol=1e-4, atol=0)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


def test_is_the_identity_in_evaluation_and_repeats_by_seed() -> None:
    x = torch.randn(5, 3)
    assert Dropout(0.5).eval()(x) is x
    torch.manual_seed(1)
    first = Dropout(0.5)(x)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(x), first)
