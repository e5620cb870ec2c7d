import pytest
import torch
from torch import Tensor

from mmrec.batch import Clock, SequenceBatch
from mmrec.errors import InvalidArgument
from tests.clocks import no_times


def test_multi_hot_holds_window_and_earlier_items_and_no_padding() -> None:
    window, earlier = torch.tensor([[4, 2, 4], [3, 0, 0]]), torch.tensor([1, 2])
    batch = SequenceBatch(torch.arange(2), window, earlier, torch.tensor([0, 2, 2]), no_times(window))
    assert batch.multi_hot(6).tolist() == [[0, 1, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0]]


def histories(batch: SequenceBatch) -> list[list[int]]:
    starts, ends = batch.earlier_offsets[:-1].tolist(), batch.earlier_offsets[1:].tolist()
    rows = zip(batch.items.tolist(), starts, ends, strict=True)
    return [[*batch.earlier[start:end].tolist(), *(item for item in row if item)] for row, start, end in rows]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, None])
def test_newest_moves_items_from_windows_to_earlier_items(length: int | None) -> None:
    window = torch.tensor([[4, 2, 4, 5], [3, 0, 0, 0], [6, 7, 8, 0]])
    times = window * 10
    earlier, offsets = torch.tensor([1, 2, 9]), torch.tensor([0, 2, 2, 3])
    batch = SequenceBatch(torch.arange(3), window, earlier, offsets, Clock(times, times + 1))
    cut = batch.newest(length)
    assert histories(cut) == histories(batch)
    assert cut.items.shape[1] == min(4, length or 4)
    for row, history in enumerate(histories(batch)):
        inside = [item for item in cut.items[row].tolist() if item]
        assert inside == history[len(history) - len(inside) :]
        assert len(inside) == min(int(batch.lengths[row]), length or 4)
        assert cut.clock.item_time[row, : len(inside)].tolist() == [10 * item for item in inside]
        assert cut.clock.query_time[row, : len(inside)].tolist() == [10 * item + 1 for item in inside]


@pytest.mark.parametrize("window", [torch.tensor([[4, 2], [0, 0]]), torch.zeros(2, 0, dtype=torch.int64)])
def test_an_empty_window_is_refused(window: Tensor) -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    batch = SequenceBatch(torch.arange(2), window, nothing, torch.tensor([0, 0, 0]), no_times(window))
    row = 1 if window.shape[1] else 0
    with pytest.raises(InvalidArgument, match=f"^items has an empty window in row {row}"):
        batch.newest(3)
