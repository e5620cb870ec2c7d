from itertools import chain

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.batch import PAD
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.negatives import SeenPairs, UniformNegativeSampler


def test_pairs_equal_a_set() -> None:
    view = TrainView(3, 6, torch.tensor([0, 3, 3, 5]), torch.tensor([5, 2, 5, 1, 4]), torch.zeros(5))
    pairs = SeenPairs()
    pairs.set_view(view)
    known = {(0, 5), (0, 2), (2, 1), (2, 4)}
    user, item = torch.arange(3)[:, None], torch.arange(6)[None]
    expected = torch.tensor([[(u, i) in known for i in range(6)] for u in range(3)])
    assert torch.equal(pairs(user, item), expected)


def sampler(histories: list[list[int]], n_items: int) -> UniformNegativeSampler:
    offsets = torch.tensor([0, *(len(history) for history in histories)]).cumsum(0)
    items = torch.tensor([*chain(*histories)], dtype=torch.int32)
    made = UniformNegativeSampler()
    made.set_view(TrainView(len(histories), n_items, offsets, items, torch.zeros(len(items))))
    return made


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 8), max_size=12), min_size=1, max_size=4))
def test_exactly_the_unseen_items_are_drawn(histories: list[list[int]]) -> None:
    torch.manual_seed(0)
    user = torch.arange(len(histories)).repeat_interleave(400)
    drawn = sampler(histories, n_items=9)(user)
    for row, history in enumerate(histories):
        expected = set(range(1, 9)) - set(history) or {PAD}
        assert set(drawn[user == row].tolist()) == expected


def test_they_are_drawn_uniformly() -> None:
    torch.manual_seed(0)
    drawn = sampler([[1, 2], [3, 5, 3, 8]], n_items=9)(torch.ones(50_000, dtype=torch.int64))
    share = drawn.bincount(minlength=9) / 50_000
    torch.testing.assert_close(share[[1, 2, 4, 6, 7]], torch.full((5,), 0.2), atol=0.01, rtol=0)
