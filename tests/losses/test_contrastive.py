import math

import pytest
import torch
from torch.nn import functional as F

from mmrec.losses.contrastive import cosines, cross_modal, info_nce
from mmrec.nn.kernels.unit import unit


def naive(a: torch.Tensor, p: torch.Tensor, n: torch.Tensor, allowed: torch.Tensor, t: float, decoupled: bool) -> float:
    total, rows = 0.0, 0
    for i in range(len(a)):
        kept = [n[i, j] for j in range(n.shape[1]) if allowed[i, j]]
        if not kept:
            continue
        plus = math.exp(F.cosine_similarity(a[i], p[i], dim=0) / t)
        minus = sum(math.exp(F.cosine_similarity(a[i], v, dim=0) / t) for v in kept)
        total += -math.log(plus / (minus + (0.0 if decoupled else plus)))
        rows += 1
    return total / rows


def loss_of(a: torch.Tensor, p: torch.Tensor, n: torch.Tensor, allowed: torch.Tensor, **options: bool) -> torch.Tensor:
    """Return the contrast, the positives being the candidates before the negatives (B, N, D)."""
    similarity = cosines(unit(a), unit(torch.cat([p[:, None], n], dim=1)))
    return info_nce(
        similarity, torch.zeros(len(a), dtype=torch.int64), F.pad(allowed, (1, 0)), temperature=0.2, **options
    )


@pytest.mark.parametrize("decoupled", [False, True])
def test_info_nce_equals_the_formula(decoupled: bool) -> None:
    torch.manual_seed(0)
    anchor, positive, negatives = torch.randn(5, 4), torch.randn(5, 4), torch.randn(5, 6, 4)
    allowed = torch.rand(5, 6) < 0.6
    allowed[2] = False
    expected = naive(anchor, positive, negatives, allowed, 0.2, decoupled)
    ours = loss_of(anchor, positive, negatives, allowed, decoupled=decoupled)
    assert ours.item() == pytest.approx(expected, rel=1e-5)


def test_shared_candidates_are_the_same_as_repeated_ones() -> None:
    anchors, candidates = torch.randn(5, 4), torch.randn(6, 4)
    torch.testing.assert_close(cosines(anchors, candidates), cosines(anchors, candidates.expand(5, 6, 4)))


@pytest.mark.parametrize("decoupled", [False, True])
def test_without_negatives_the_loss_is_zero_with_finite_gradients(decoupled: bool) -> None:
    anchor = torch.randn(3, 4, requires_grad=True)
    nothing = torch.zeros(3, 2, dtype=torch.bool)
    loss = loss_of(anchor, torch.randn(3, 4), torch.randn(3, 2, 4), nothing, decoupled=decoupled)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(anchor.grad, torch.zeros(3, 4))


def test_cross_modal_pairs_each_text_with_its_image() -> None:
    vectors, every = torch.eye(6), torch.ones(6, dtype=torch.bool)
    matched = cross_modal(vectors, vectors, every, temperature=0.1)
    swapped = cross_modal(vectors, vectors.roll(1, 0), every, temperature=0.1)
    assert matched < 0.01 < swapped
    assert cross_modal(vectors[:1], vectors[:1], every[:1], temperature=0.1) == 0.0


@pytest.mark.parametrize("decoupled", [False, True])
def test_items_that_do_not_count_have_no_effect(decoupled: bool) -> None:
    torch.manual_seed(0)
    text, image = torch.randn(7, 4, requires_grad=True), torch.randn(7, 4, requires_grad=True)
    counted = torch.tensor([True, False, True, True, False, False, True])
    ours = cross_modal(text, image, counted, temperature=0.2, decoupled=decoupled)
    alone = cross_modal(
        text[counted], image[counted], torch.ones(4, dtype=torch.bool), temperature=0.2, decoupled=decoupled
    )
    torch.testing.assert_close(ours, alone)
    for a, b in zip(*(torch.autograd.grad(loss, (text, image)) for loss in (ours, alone)), strict=True):
        torch.testing.assert_close(a, b)
