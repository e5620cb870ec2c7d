import torch
from torch.nn import functional as F

from mmrec.losses.next_item import CHUNK, next_item_cross_entropy


def test_value_and_gradients_equal_plain_cross_entropy() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(CHUNK + 37, 8, requires_grad=True)
    items = torch.randn(50, 8, requires_grad=True)
    target = torch.randint(1, 50, (len(hidden),))
    for scale in (1.0, 30.0):  # 30: most probabilities underflow
        ours = next_item_cross_entropy(hidden * scale, items, target) * 0.7
        plain = F.cross_entropy(hidden * scale @ items[1:].T, target - 1) * 0.7
        torch.testing.assert_close(ours, plain)
        for a, b in zip(
            torch.autograd.grad(ours, [hidden, items]), torch.autograd.grad(plain, [hidden, items]), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_padding_is_no_candidate() -> None:
    hidden, items = torch.ones(3, 2), torch.zeros(4, 2)
    items[0] = 100.0
    torch.testing.assert_close(next_item_cross_entropy(hidden, items, torch.tensor([1, 2, 3])), torch.tensor(3.0).log())
