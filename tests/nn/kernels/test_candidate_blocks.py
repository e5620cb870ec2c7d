import pytest
import torch

from mmrec.nn.kernels.candidate_blocks import BLOCK, draw_negatives


@pytest.mark.parametrize("n_negatives", [1, 7, 49])
def test_each_block_has_distinct_items_and_all_items_come_up_equally_often(n_negatives: int) -> None:
    torch.manual_seed(0)
    drawn = draw_negatives(49 * BLOCK - 5, n_negatives, 50, torch.device("cpu"))
    assert drawn.shape == (49, n_negatives)
    assert all(len(set(row)) == n_negatives for row in drawn.tolist())
    assert drawn.flatten().bincount().tolist() == [0] + 49 * [n_negatives]


def test_blocks_differ_and_more_negatives_than_items_are_all_items() -> None:
    torch.manual_seed(0)
    drawn = draw_negatives(2 * BLOCK, 9, 50, torch.device("cpu"))
    assert not set(drawn[0].tolist()) & set(drawn[1].tolist())
    assert sorted(draw_negatives(3, 99, 5, torch.device("cpu")).flatten().tolist()) == [1, 2, 3, 4]


def test_of_a_large_catalogue_only_the_drawn_items_are_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrec.nn.kernels.candidate_blocks.LARGE", 100)
    monkeypatch.setattr(torch, "randperm", None)
    torch.manual_seed(0)
    draws = torch.stack([draw_negatives(2 * BLOCK, 3, 101, torch.device("cpu")) for _ in range(2000)])
    assert draws.shape == (2000, 2, 3)
    assert all(len(set(row)) == 6 for row in draws.flatten(1).tolist())  # distinct over the blocks
    counts = draws.flatten().bincount(minlength=101)
    assert counts[0] == 0
    assert (counts[1:] - 120).abs().max() < 6 * 120**0.5  # each item 120 times, give or take
