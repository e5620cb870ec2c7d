import torch

from mmrec.losses.next_item import next_item_cross_entropy


def test_padding_is_excluded_from_the_candidates() -> None:
    hidden, items = torch.ones(3, 2), torch.zeros(4, 2)
    items[0] = 100.0
    torch.testing.assert_close(next_item_cross_entropy(hidden, items, torch.tensor([1, 2, 3])), torch.tensor(3.0).log())
