import pytest
import torch

from mmrec.nn.kernels.cross_entropy import LARGEST, ROWS, chunked_cross_entropy, longest, plain_cross_entropy
from mmrec.nn.kernels.precision import set_loss_precision


def test_value_and_gradients_equal_the_plain_form() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(ROWS + 37, 8, requires_grad=True)
    classes = torch.randn(50, 8, requires_grad=True)
    target = torch.randint(50, (len(hidden),))
    for scale in (1.0, 30.0):  # 30: most probabilities underflow
        ours, plain = (
            form(hidden * scale, classes, target) * 0.7 for form in (chunked_cross_entropy, plain_cross_entropy)
        )
        torch.testing.assert_close(ours, plain)
        for a, b in zip(*(torch.autograd.grad(loss, [hidden, classes]) for loss in (ours, plain)), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0])  # without and with the subtraction of the maximum
def test_reduced_precision_is_close_to_full_precision(scale: float, mixed: bool) -> None:
    torch.manual_seed(0)
    hidden, classes = (scale * torch.randn(count, 64) for count in (40, 300))
    assert (longest(hidden) * longest(classes) <= LARGEST) == (scale < 1)
    for vectors in (hidden, classes):
        vectors.requires_grad_()
    target, before = torch.randint(300, (40,)), torch.backends.mkldnn.matmul.fp32_precision
    full = chunked_cross_entropy(hidden, classes, target)
    set_loss_precision("reduced")
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        reduced = chunked_cross_entropy(hidden, classes, target)
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    assert reduced.dtype == torch.float32
    torch.testing.assert_close(reduced, full, rtol=1e-3, atol=0)
    for a, b in zip(*(torch.autograd.grad(loss, [hidden, classes]) for loss in (reduced, full)), strict=True):
        assert (a - b).norm() < 0.01 * b.norm()
