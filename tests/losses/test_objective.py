import pytest
import torch

from mmrec.data.catalog import TrainView
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.losses.bce import binary_cross_entropy
from mmrec.losses.gbce import generalised_bce
from mmrec.losses.next_item import next_item_cross_entropy
from mmrec.losses.objective import NextItemLoss
from mmrec.losses.sampled_softmax import sampled_softmax
from mmrec.nn.kernels.candidate_blocks import draw_negatives


@pytest.mark.parametrize("name", ["cross_entropy", "sampled_softmax", "gbce", "bce"])
def test_each_name_computes_its_loss_with_fresh_negatives(name: str, toy: RecDataModule) -> None:
    loss = NextItemLoss(name, n_negatives=7, gbce_t=0.5)
    loss.set_view(toy.catalog.train)
    torch.manual_seed(0)
    user, hidden, items = torch.arange(20), torch.randn(20, 4), torch.randn(toy.n_items, 4)
    target = torch.randint(1, toy.n_items, (20,))
    torch.manual_seed(1)
    ours = loss(user, hidden, items, target)
    torch.manual_seed(1)
    if name == "bce":
        expected = binary_cross_entropy(hidden, items, target, loss.negative_sampler(user))
    elif name == "cross_entropy":
        expected = next_item_cross_entropy(hidden, items, target)
    else:
        arguments = (hidden, items, target, draw_negatives(20, 7, toy.n_items, target.device))
        expected = sampled_softmax(*arguments) if name == "sampled_softmax" else generalised_bce(*arguments, 0.5)
    assert torch.equal(ours, expected)
    assert name == "cross_entropy" or not torch.equal(loss(user, hidden, items, target), ours)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "bpr"}, "loss must be one of cross_entropy, sampled_softmax, gbce, bce, but is bpr"),
        ({"n_negatives": 0}, "n_negatives must be at least 1"),
        ({"gbce_t": 1.5}, "gbce_t must be between 0 and 1"),
    ],
)
def test_options_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        NextItemLoss(**{"loss": "gbce", "n_negatives": 1, "gbce_t": 0.5, **changes})


@pytest.mark.parametrize("n_items", [2, 3, 6])  # one, two and five items
@pytest.mark.parametrize("name", ["cross_entropy", "sampled_softmax", "gbce", "bce"])
def test_more_negatives_than_items_give_a_finite_loss(name: str, n_items: int) -> None:
    torch.manual_seed(0)
    loss = NextItemLoss(name, n_negatives=99)
    loss.set_view(TrainView(1, n_items, torch.tensor([0, 1]), torch.tensor([1]), torch.zeros(1)))
    hidden, items = torch.randn(4, 3, requires_grad=True), torch.randn(n_items, 3, requires_grad=True)
    value = loss(torch.zeros(4, dtype=torch.int64), hidden, items, torch.ones(4, dtype=torch.int64))
    value.backward()
    assert value.isfinite()
    assert hidden.grad.isfinite().all()
    assert items.grad.isfinite().all()
