from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mmrec.data.catalog import TrainView
from mmrec.data.loaders.indexing import EpochSeed, Process
from mmrec.data.loaders.pairs import PairLoader
from mmrec.errors import UserError

ITEMS = 12  # padding included, so that some users have seen nearly all


def view_of(histories: list[list[int]]) -> TrainView:
    offsets = torch.tensor([0, *(len(history) for history in histories)]).cumsum(0)
    items = torch.tensor([item for history in histories for item in history], dtype=torch.int32)
    return TrainView(len(histories), ITEMS, offsets, items, torch.zeros(len(items)))


def histories() -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    some = [(1 + torch.randperm(ITEMS - 1, generator=generator)[: n % 11]).tolist() for n in range(40)]
    return [*some, [5, 5, 2], []]  # a repeated pair, and a user without training


def loader_of(view: TrainView, seed: int = 1, epoch: Callable[[], int] = lambda: 0, **options: Any) -> PairLoader:
    return PairLoader(view, **{"batch_size": 16, "epoch_seed": EpochSeed(seed, epoch), **options})


def pairs(loader: PairLoader) -> torch.Tensor:
    return torch.cat([torch.stack([b.user, b.positive, b.negative], dim=1) for b in loader])


def test_every_interaction_comes_once_with_an_unseen_negative() -> None:
    known = histories()
    loader = loader_of(view_of(known))
    drawn = pairs(loader).tolist()
    assert len(list(loader)) == len(loader)
    assert Counter((u, p) for u, p, _ in drawn) == Counter((u, i) for u, items in enumerate(known) for i in items)
    assert all(negative not in known[user] and 1 <= negative < ITEMS for user, _, negative in drawn)


def test_negatives_are_uniform_over_unseen_items() -> None:
    epoch = iter(range(3000))
    loader = loader_of(view_of([[3, 7, 8]]), epoch=lambda: next(epoch))
    counts = torch.bincount(torch.cat([pairs(loader)[:, 2] for _ in range(3000)]), minlength=ITEMS)
    expected = 9000 / 8
    assert counts[[0, 3, 7, 8]].sum() == 0
    assert ((counts[[1, 2, 4, 5, 6, 9, 10, 11]] - expected).abs() < 5 * expected**0.5).all()


def test_order_and_negatives_are_a_function_of_seed_and_epoch() -> None:
    def drawn(seed: int, epoch: int) -> torch.Tensor:
        torch.rand(1)  # the global generator moves on between epochs and must play no part
        return pairs(loader_of(view_of(histories()), seed, lambda: epoch))

    state = torch.get_rng_state()
    first = drawn(1, 2)
    torch.set_rng_state(state)
    torch.rand(1)
    expected = torch.rand(1)
    torch.set_rng_state(state)
    assert torch.equal(first, drawn(1, 2))
    assert torch.equal(torch.rand(1), expected)  # and is left where it was
    assert not torch.equal(first, drawn(1, 3))
    assert not torch.equal(first, drawn(2, 2))


def test_processes_get_the_pairs_of_a_single_process() -> None:
    view = view_of(histories())
    alone = sorted(pairs(loader_of(view)).tolist())
    for world in (2, 3):
        loaders = [loader_of(view, batch_size=7, process=Process(rank, world)) for rank in range(world)]
        assert len({len(loader) for loader in loaders}) == 1
        assert sorted(pair for loader in loaders for pair in pairs(loader).tolist()) == alone


def test_users_who_have_seen_every_item_are_left_out() -> None:
    everything = list(range(1, ITEMS))
    assert set(pairs(loader_of(view_of([everything, [1]])))[:, 0].tolist()) == {1}
    with pytest.raises(UserError, match="no pairs to learn from"):
        loader_of(view_of([everything, []]))
