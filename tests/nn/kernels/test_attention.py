import pytest
import torch

from mmrec.nn.kernels import attention
from mmrec.nn.kernels.attention import attend, plain_attention


@pytest.mark.parametrize("queries", [3, 100])  # blocks of 3, 3 and 1, and one block
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("one_query", [False, True])
def test_value_and_gradients_equal_the_plain_form(
    one_query: bool, with_bias: bool, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(attention, "QUERIES", queries)
    count = 1 if one_query else 7
    q = torch.randn(2, 2, count, 4, requires_grad=True)
    k, v = (torch.randn(2, 2, 7, 4, requires_grad=True) for _ in range(2))
    bias = torch.randn(2, 2, count, 7, requires_grad=True) if with_bias else None
    seen = (torch.arange(7) <= torch.tensor([[3], [6]]))[:, None, None] if one_query else None
    inputs = [x for x in (q, k, v, bias) if x is not None]
    ours, plain = attend(q, k, v, seen=seen, bias=bias), plain_attention(q, k, v, seen, bias)
    torch.testing.assert_close(ours, plain)
    direction = torch.randn_like(plain)
    for a, b in zip(*(torch.autograd.grad(x, inputs, direction) for x in (ours, plain)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("one_query", [False, True])
def test_with_dropout_the_mean_is_the_plain_form(one_query: bool, with_bias: bool) -> None:
    torch.manual_seed(0)
    count = 1 if one_query else 5
    q, k, v = (torch.randn(2, 2, size, 4) for size in (count, 5, 5))
    bias = torch.randn(2, 2, count, 5) if with_bias else None
    seen = torch.ones(2, 1, 1, 5, dtype=torch.bool) if one_query else None
    drawn = torch.stack([attend(q, k, v, seen=seen, bias=bias, dropout=0.3) for _ in range(800)])
    torch.testing.assert_close(drawn.mean(dim=0), plain_attention(q, k, v, seen, bias), rtol=0, atol=0.15)
    assert (drawn.std(dim=0) > 0.01).any(dim=3).all()
