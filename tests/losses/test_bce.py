import torch

from mmrec.batch import PAD
from mmrec.losses.bce import binary_cross_entropy


def test_value_and_gradients_equal_the_naive_loop() -> None:
    torch.manual_seed(0)
    hidden, items = torch.randn(4, 3, requires_grad=True), torch.randn(7, 3, requires_grad=True)
    target, negative = torch.tensor([1, 2, 6, 1]), torch.tensor([3, 1, PAD, 6])
    expected = torch.zeros(())
    for h, plus, minus in zip(hidden, target.tolist(), negative.tolist(), strict=True):
        expected = expected - torch.log(torch.sigmoid(h @ items[plus])) / 4
        if minus != PAD:
            expected = expected - torch.log(1 - torch.sigmoid(h @ items[minus])) / 4
    ours = binary_cross_entropy(hidden, items, target, negative)
    torch.testing.assert_close(ours, expected)
    for a, b in zip(
        torch.autograd.grad(ours, [hidden, items]), torch.autograd.grad(expected, [hidden, items]), strict=True
    ):
        torch.testing.assert_close(a, b)
