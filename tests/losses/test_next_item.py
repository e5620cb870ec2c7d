import pytest
import torch
from torch.nn import functional as F

from mmrec.losses.next_item import LARGEST, ROWS, longest, next_item_cross_entropy
from mmrec.nn.kernels.precision import reduced_precision, set_loss_precision


def test_value_and_gradients_equal_plain_cross_entropy() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(ROWS + 37, 8, requires_grad=True)
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


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0])  # as they are, and with the largest taken off
def test_reduced_precision_is_close_to_full_precision(scale: float, mixed: bool) -> None:
    torch.manual_seed(0)
    hidden, items = (scale * torch.randn(count, 64) for count in (40, 300))
    assert (longest(hidden) * longest(items) <= LARGEST) == (scale < 1)
    for vectors in (hidden, items):
        vectors.requires_grad_()
    target, before = torch.randint(1, 300, (40,)), torch.backends.mkldnn.matmul.fp32_precision
    exact = next_item_cross_entropy(hidden, items, target)
    set_loss_precision("reduced")
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        rounded = next_item_cross_entropy(hidden, items, target)
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=1e-3, atol=0)
    for a, b in zip(*(torch.autograd.grad(loss, [hidden, items]) for loss in (rounded, exact)), strict=True):
        assert (a - b).norm() < 0.01 * b.norm()


def test_precision_is_given_back_after_an_error() -> None:
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError), reduced_precision(True):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert torch.backends.mkldnn.matmul.fp32_precision == before
