from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mmrec.nn.kernels import attention
from mmrec.nn.kernels.attention import attend, attend_once, plain_attention

Case = tuple[Callable[[float], Tensor], Tensor, list[Tensor]]
"""Attention as a function of the dropout, its plain form without dropout, and what both depend on."""

SEEN = torch.arange(7) <= torch.tensor([[3], [6]])


def draw(*sizes: tuple[int, ...]) -> list[Tensor]:
    """Return random tensors."""
    torch.manual_seed(0)
    return [torch.randn(size, requires_grad=True) for size in sizes]


def every_position(with_bias: bool) -> Case:
    """Causal attention of all positions."""
    q, k, v, drawn = draw(*[(2, 2, 7, 4)] * 3, (2, 2, 7, 7))
    bias = drawn if with_bias else None
    used = [q, k, v, *([drawn] if with_bias else [])]
    return lambda dropout: attend(q, k, v, bias=bias, dropout=dropout), plain_attention(q, k, v, bias=bias), used


def one_position(with_bias: bool) -> Case:
    """Attention of one position of each row."""
    q, x, key, value, added, drawn = draw((2, 2, 4), (2, 7, 8), *[(2, 4, 8)] * 2, (2, 4), (2, 2, 7))
    bias = drawn if with_bias else None
    k, v = (torch.einsum("bli,hdi->bhld", x, weight) for weight in (key, value))
    wide = None if bias is None else bias[:, :, None]
    plain = plain_attention(q[:, :, None], k, v + added[:, None], SEEN[:, None, None], wide)
    used = [q, x, key, value, added, *([drawn] if with_bias else [])]
    return (
        lambda dropout: attend_once(q, x, key, (value, added), SEEN, bias=bias, dropout=dropout),
        plain.squeeze(2),
        used,
    )


@pytest.mark.parametrize("queries", [3, 100])  # blocks of 3, 3 and 1, and one block
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("case", [every_position, one_position])
def test_value_and_gradients_equal_the_plain_form(
    case: Callable[[bool], Case], with_bias: bool, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "QUERIES", queries)
    attended, plain, used = case(with_bias)
    ours = attended(0.0)
    torch.testing.assert_close(ours, plain)
    direction = torch.randn_like(plain)
    for a, b in zip(*(torch.autograd.grad(x, used, direction) for x in (ours, plain)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("case", [every_position, one_position])
def test_with_dropout_the_mean_is_the_plain_form(case: Callable[[bool], Case], with_bias: bool) -> None:
    attended, plain, _ = case(with_bias)
    drawn = torch.stack([attended(0.3) for _ in range(800)])
    error = drawn.std(dim=0) / 800**0.5
    assert ((drawn.mean(dim=0) - plain).abs() <= 5 * error + 1e-6).all()
    assert (error > 0).any(dim=-1).all()
