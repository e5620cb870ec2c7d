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
