import torch

from mmrec.batch import SequenceBatch
from tests.clocks import no_times


def test_multi_hot_holds_window_and_earlier_items_and_no_padding() -> None:
    window, earlier = torch.tensor([[4, 2, 4], [3, 0, 0]]), torch.tensor([1, 2])
    batch = SequenceBatch(torch.arange(2), window, earlier, torch.tensor([0, 2, 2]), no_times(window))
    assert batch.multi_hot(6).tolist() == [[0, 1, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0]]
