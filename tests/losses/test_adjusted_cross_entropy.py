from collections.abc import Iterator

import pytest
import torch

from mmrec.losses.adjusted_cross_entropy import adjusted_cross_entropy
from mmrec.nn.kernels.adjusted_cross_entropy import Entries, Levels, plain_adjusted_cross_entropy
from mmrec.nn.kernels.cross_entropy import ROWS
from mmrec.nn.kernels.precision import set_loss_precision


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    set_loss_precision("full")
    yield
    set_loss_precision("reduced")


def entries(rows: int, items: int, count: int) -> Entries:
    row = torch.randint(0, rows, (count,)).sort().values
    return Entries(row, torch.randint(1, items, (count,)), torch.randn(count, requires_grad=True))


@pytest.mark.parametrize("scale", [1.0, 30.0])  # 30: most probabilities underflow
def test_value_and_gradients_equal_the_plain_form(scale: float) -> None:
    torch.manual_seed(0)
    rows, n_items = ROWS + 37, 50
    hidden, items = torch.randn(rows, 8, requires_grad=True), torch.randn(n_items, 8, requires_grad=True)
    target = torch.randint(2, n_items, (rows,))
    added = [entries(rows, n_items, 3000), entries(rows, n_items, 10)]  # some of one place and item
    excluded = torch.arange(0, rows, 2), target[::2] - 1
    levels = Levels(torch.randn(4, n_items), torch.randint(0, 4, (rows,)), torch.tensor(0.8, requires_grad=True))
    ours = adjusted_cross_entropy(hidden * scale, items, target, added, excluded, levels) * 0.7
    plain = plain_adjusted_cross_entropy(hidden * scale, items, target, added, excluded, levels) * 0.7
    torch.testing.assert_close(ours, plain)
    wanted = [hidden, items, levels.weight, *(group.value for group in added)]
    for a, b in zip(torch.autograd.grad(ours, wanted), torch.autograd.grad(plain, wanted), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_excluded_items_do_not_count() -> None:
    hidden, items = torch.ones(2, 3), torch.ones(5, 3)
    items[1] = 100.0
    excluded = torch.tensor([0, 1]), torch.tensor([1, 1])
    loss = adjusted_cross_entropy(hidden, items, torch.tensor([2, 4]), [], excluded)
    torch.testing.assert_close(loss, torch.tensor(3.0).log())
