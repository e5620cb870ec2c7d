import math

import torch

from mmrec.losses.bpr import bpr, squared_norm


def test_equals_the_formula_pair_by_pair() -> None:
    torch.manual_seed(0)
    user, positive, negative = torch.randn(3, 7, 5).unbind()
    expected = 0.0
    for u, p, n in zip(user.tolist(), positive.tolist(), negative.tolist(), strict=True):
        margin = sum(a * (b - c) for a, b, c in zip(u, p, n, strict=True))
        expected -= math.log(1 / (1 + math.exp(-margin))) / 7
    torch.testing.assert_close(bpr(user, positive, negative).item(), expected, rtol=1e-5, atol=1e-6)
    lengths = sum(value**2 for rows in (user, positive) for row in rows.tolist() for value in row)
    torch.testing.assert_close(squared_norm(user, positive).item(), lengths / 14, rtol=1e-5, atol=1e-6)


def test_a_pair_far_in_the_wrong_order_still_has_a_gradient() -> None:
    user = torch.ones(1, 1, requires_grad=True)
    loss = bpr(user, torch.full((1, 1), -500.0), torch.full((1, 1), 500.0))
    loss.backward()
    assert loss.item() == 1000
    assert user.grad.item() == -(-500 - 500)
