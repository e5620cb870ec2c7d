import torch

from mmrec.data.catalog import TrainView
from mmrec.losses.negatives import TrainedPairs


def test_pairs_equal_a_set() -> None:
    view = TrainView(n_users=3, n_items=6, offsets=torch.tensor([0, 3, 3, 5]), items=torch.tensor([5, 2, 5, 1, 4]))
    pairs = TrainedPairs()
    pairs.set_view(view)
    known = {(0, 5), (0, 2), (2, 1), (2, 4)}
    user, item = torch.arange(3)[:, None], torch.arange(6)[None]
    expected = torch.tensor([[(u, i) in known for i in range(6)] for u in range(3)])
    assert torch.equal(pairs(user, item), expected)
