import math

import pytest
import torch
from torch.nn import functional as F

from mmrec.losses.gbce import gbce_beta, generalised_bce
from mmrec.nn.kernels.candidate_blocks import BLOCK


def naive(
    h: torch.Tensor, items: torch.Tensor, target: torch.Tensor, negatives: torch.Tensor, t: float
) -> torch.Tensor:
    """Return the formula of the paper, with σ to the power of β, for scores that start at the base rate."""
    k = negatives.shape[1]
    alpha = k / (len(items) - 1 - 1)
    beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)
    total = torch.zeros((), dtype=h.dtype)
    for position, wanted in enumerate(target.tolist()):
        chance = torch.sigmoid(items @ h[position] + math.log(beta / k))
        others = [n for n in negatives[position // BLOCK].tolist() if n != wanted]
        total = total - (torch.log(chance[wanted] ** beta) + torch.log(1 - chance[others]).sum()) / (k + 1)
    return total / len(h)


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
def test_value_and_gradients_equal_the_naive_loop(t: float) -> None:
    torch.manual_seed(0)
    hidden, items = torch.randn(BLOCK + 9, 4, requires_grad=True), torch.randn(12, 4, requires_grad=True)
    target, negatives = torch.randint(1, 12, (len(hidden),)), torch.tensor([[2, 11, 5, 8], [1, 2, 3, 4]])
    ours, expected = (f(hidden, items, target, negatives, t) * 0.7 for f in (generalised_bce, naive))
    torch.testing.assert_close(ours, expected)
    for a, b in zip(
        torch.autograd.grad(ours, [hidden, items]), torch.autograd.grad(expected, [hidden, items]), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_beta_goes_from_one_to_the_sampling_rate() -> None:
    assert gbce_beta(n_negatives=256, n_items=3417, t=0.0) == pytest.approx(1.0)
    assert gbce_beta(n_negatives=256, n_items=3417, t=1.0) == pytest.approx(256 / 3415)
    assert gbce_beta(n_negatives=256, n_items=3417, t=0.75) == pytest.approx(0.25 + 0.75 * 256 / 3415)


def test_without_knowledge_of_the_user_the_terms_balance() -> None:
    """If every item is a target once, zero vectors are a minimum."""
    items = torch.zeros(50, 4, requires_grad=True)
    target = torch.arange(1, 50)
    generalised_bce(torch.ones(49, 4), items, target, target[None, :7], 1.0).backward()
    torch.testing.assert_close(items.grad.sum(0), torch.zeros(4), atol=5e-3, rtol=0)


def test_against_all_items_the_calibration_is_exact() -> None:
    """The target is among the drawn items and does not count: the plain loss over all others, β = 1."""
    hidden, items, target = torch.randn(9, 4), torch.randn(10, 4), torch.arange(1, 10)
    everything = torch.randperm(9)[None] + 1
    scores = hidden @ items[1:].T + math.log(1 / 8)  # one item of nine is the target
    expected = F.binary_cross_entropy_with_logits(scores, torch.eye(9), reduction="sum") / (9 * 9)
    torch.testing.assert_close(generalised_bce(hidden, items, target, everything, 1.0), expected)
    assert gbce_beta(n_negatives=9, n_items=10, t=0.75) == 1


def test_large_scores_are_finite() -> None:
    hidden = torch.full((2, 1), 1e4, requires_grad=True)
    items = torch.tensor([[0.0], [-1.0], [1.0], [1.0]])
    loss = generalised_bce(hidden, items, torch.tensor([1, 2]), torch.tensor([[3]]), 0.75)
    loss.backward()
    assert loss.isfinite()
    assert hidden.grad.isfinite().all()


def test_in_a_catalogue_of_one_item_the_positive_term_is_left() -> None:
    hidden, items = torch.randn(3, 4), torch.randn(2, 4)
    loss = generalised_bce(hidden, items, torch.ones(3, dtype=torch.int64), torch.tensor([[1]]), 0.75)
    torch.testing.assert_close(loss, -torch.sigmoid(hidden @ items[1]).log().mean() / 2)
