import math

import torch

from mmrec.losses.next_item import next_item_cross_entropy
from mmrec.losses.sampled_softmax import sampled_softmax
from mmrec.nn.kernels.candidate_blocks import BLOCK, draw_negatives


def naive(hidden: torch.Tensor, items: torch.Tensor, target: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(())
    for position, (h, wanted) in enumerate(zip(hidden, target.tolist(), strict=True)):
        others = [h @ items[n] for n in negatives[position // BLOCK].tolist() if n != wanted]
        scores = torch.stack([h @ items[wanted], *others])
        total = total - (scores[0].exp() / scores.exp().sum()).log()
    return total / len(hidden)


def test_value_and_gradients_equal_the_naive_loop() -> None:
    torch.manual_seed(0)
    hidden, items = torch.randn(BLOCK + 9, 4, requires_grad=True), torch.randn(12, 4, requires_grad=True)
    target, negatives = torch.randint(1, 12, (len(hidden),)), torch.tensor([[2, 11, 5, 8], [1, 2, 3, 4]])
    ours, expected = (f(hidden, items, target, negatives) * 0.7 for f in (sampled_softmax, naive))
    torch.testing.assert_close(ours, expected)
    for a, b in zip(
        torch.autograd.grad(ours, [hidden, items]), torch.autograd.grad(expected, [hidden, items]), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_with_all_items_it_is_the_full_cross_entropy() -> None:
    torch.manual_seed(0)
    hidden, items = torch.randn(2 * BLOCK + 37, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    target = torch.randint(1, 50, (len(hidden),))
    negatives = draw_negatives(len(hidden), 49, 50, hidden.device)
    for scale in (1.0, 30.0):  # 30: most probabilities underflow
        sampled = sampled_softmax(hidden * scale, items, target, negatives)
        full = next_item_cross_entropy(hidden * scale, items, target)
        torch.testing.assert_close(sampled, full)
        for a, b in zip(
            torch.autograd.grad(sampled, [hidden, items]), torch.autograd.grad(full, [hidden, items]), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_a_target_that_is_its_only_negative_has_no_loss() -> None:
    hidden, items = torch.randn(2, 4, requires_grad=True), torch.randn(6, 4)
    loss = sampled_softmax(hidden, items, torch.tensor([3, 4]), torch.tensor([[3]]))
    only_second = math.log(1 + torch.exp(hidden[1] @ (items[3] - items[4])).item()) / 2
    torch.testing.assert_close(loss.item(), only_second)
    loss.backward()
    assert hidden.grad.isfinite().all()
    assert not hidden.grad[0].any()
