import torch

from mmrec.losses.next_item import next_item_cross_entropy


def test_padding_is_excluded_from_the_candidates() -> None:
    hidden, items = torch.ones(3, 2), torch.zeros(4, 2)
    items[0] = 100.0
    torch.testing.assert_close(next_item_cross_entropy(hidden, items, torch.tensor([1, 2, 3])), torch.tensor(3.0).log())


def test_a_sum_over_some_items_leaves_the_others_alone() -> None:
    torch.manual_seed(0)
    hidden, items = torch.randn(3, 4), torch.randn(6, 4, requires_grad=True)
    among, target = torch.tensor([1, 3, 5]), torch.tensor([3, 1, 5])
    loss = next_item_cross_entropy(hidden, items, target, among)
    expected = torch.nn.functional.cross_entropy(hidden @ items[among].T, torch.tensor([1, 0, 2]))
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, items)
    assert gradient.any(dim=1).tolist() == [False, True, False, True, False, True]
