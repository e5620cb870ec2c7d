import torch

from mmrec.metrics.ranking import ndcg
from mmrec.models.unseen_items import UnseenItems, largest_offset, leads_of


def test_the_offset_is_the_largest_within_the_cost() -> None:
    generator = torch.Generator().manual_seed(0)
    ranks = torch.randint(1, 30, (500,), generator=generator).float()
    leads = torch.randn(500, 20, generator=generator)
    for cost in (0.01, 0.1):
        offset = largest_offset(ranks, leads, cost)
        lost = [1 - float(ndcg(ranks + (leads > -c).sum(1), 10).mean() / ndcg(ranks, 10).mean()) for c in
                (offset - 1e-3, offset, offset + 1e-3)]  # fmt: skip
        assert lost[0] <= lost[1] <= cost < lost[2]


def test_nothing_among_the_first_ten_tells_no_offset() -> None:
    assert largest_offset(torch.full((3,), 11.0), torch.zeros(3, 2), 0.01) is None
    assert largest_offset(torch.empty(0), torch.empty(0, 2), 0.01) is None


def test_targets_that_stand_in_are_left_out_and_stand_ins_of_the_history_do_not_lead() -> None:
    scores = torch.tensor([[-torch.inf, 3.0, 2.0, 1.0], [-torch.inf, 3.0, 2.0, 1.0]])
    places = torch.tensor([[5.0], [-torch.inf]])
    ranks, leads = leads_of(scores, torch.tensor([3, 2]), torch.tensor([1]), places)
    assert ranks.tolist() == [2, 1]
    assert leads.tolist() == [[4.0], [-torch.inf]]
    assert len(leads_of(scores, torch.tensor([1, 1]), torch.tensor([1]), places)[0]) == 0


def test_an_unseen_item_of_the_history_takes_no_other_items_place() -> None:
    unseen = UnseenItems(content_weight=20.0, offset=0.0)
    interest, content = torch.tensor([[5.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.3, 0.1]])
    of_history = torch.tensor([[True, False, False]])
    given = unseen(interest, content, 0.125, of_history)
    torch.testing.assert_close(given, torch.tensor([[5.0, 1.25, 0.75]]))
    freely = unseen(interest, content, 0.125, torch.zeros_like(of_history))
    torch.testing.assert_close(freely, torch.tensor([[1.25, 5.0, 0.75]]))
