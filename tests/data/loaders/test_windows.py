import itertools

import pytest
import torch

from mmrec.batch import PAD
from mmrec.data.catalog import TrainView
from mmrec.data.loaders.indexing import EpochSeed, Process, ragged, windows
from mmrec.data.loaders.windows import TrainLoader
from mmrec.errors import UserError


def random_view(users: int = 23) -> TrainView:
    torch.manual_seed(0)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randint(0, 12, (users,)).cumsum(0)])
    items = torch.randint(1, 50, (int(offsets[-1]),))
    return TrainView(users, 50, offsets, items, 10 * torch.arange(len(items)))


def test_windows_and_ragged_equal_slices() -> None:
    items, starts, ends = torch.arange(1, 100), torch.tensor([0, 10, 95]), torch.tensor([3, 10, 99])
    slices = [items[a:b].tolist() for a, b in zip(starts, ends, strict=True)]
    padded = windows(starts, ends).of(items)
    assert [[i for i in row if i != PAD] for row in padded.tolist()] == slices
    flat, offsets = ragged(items, starts, ends)
    assert [flat[a:b].tolist() for a, b in itertools.pairwise(offsets)] == slices


def test_every_batch_equals_the_naive_construction() -> None:
    view, seen = random_view(), []
    for batch in TrainLoader(view, max_length=4, batch_size=5, epoch_seed=EpochSeed(1, lambda: 0), windows="last"):
        for row, user in enumerate(batch.user.tolist()):
            history = view.items[view.offsets[user] : view.offsets[user + 1]].tolist()
            window, targets = history[:-1][-4:], history[1:][-4:]
            assert batch.items[row][: len(window)].tolist() == window
            assert batch.targets[row][: len(window)].tolist() == targets
            newest = int(view.offsets[user + 1]) - 1
            rows = torch.arange(newest - len(window), newest)
            assert torch.equal(batch.clock.item_time[row][: len(window)], view.timestamp[rows])
            assert torch.equal(batch.clock.query_time[row][: len(window)], view.timestamp[rows + 1])
            assert not batch.items[row][len(window) :].any()
            assert not batch.targets[row][len(window) :].any()
            earlier = batch.earlier[batch.earlier_offsets[row] : batch.earlier_offsets[row + 1]].tolist()
            assert earlier + window == history[:-1]
            seen.append(user)
        assert batch.lengths.tolist() == sorted(batch.lengths.tolist())  # similar lengths are next to each other
    assert sorted(seen) == [u for u in range(23) if view.offsets[u + 1] - view.offsets[u] >= 2]


def test_all_windows_cover_every_event_and_stay_within_their_user() -> None:
    view, seen = random_view(), set()
    for epoch in range(20):
        epoch_seed = EpochSeed(1, lambda: epoch)  # noqa: B023  called in this iteration
        loader = TrainLoader(view, max_length=4, batch_size=5, epoch_seed=epoch_seed)
        assert len(list(loader)) == len(loader)
        for batch in loader:
            for row, user in enumerate(batch.user.tolist()):
                start = int(view.offsets[user] + batch.earlier_offsets.diff()[row])
                window = batch.targets[row][batch.targets[row] != PAD]
                assert len(window) == min(4, view.offsets[user + 1] - view.offsets[user] - 1)
                assert torch.equal(window, view.items[start + 1 : start + 1 + len(window)])
                seen |= set(range(start + 1, start + 1 + len(window)))
                assert start + len(window) < view.offsets[user + 1]
    assert seen == set(range(len(view.items))) - set(view.offsets[:-1].tolist())


def test_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        loader = TrainLoader(random_view(), max_length=4, batch_size=5, epoch_seed=EpochSeed(seed, lambda: epoch))
        return torch.cat([batch.user for batch in loader]).tolist()

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_processes_get_every_sample_once_in_equal_steps() -> None:
    for count in (1, 7, 64, 65, 100):
        for world in (1, 2, 3):
            parts = [Process(rank, world).shard(torch.arange(count), 8) for rank in range(world)]
            assert len({len(part) for part in parts}) == 1
            assert max(len(batch) for part in parts for batch in part) <= 8
            assert torch.cat([b for part in parts for b in part]).sort().values.tolist() == list(range(count))


def test_fewer_samples_than_processes_are_refused() -> None:
    Process(1, 2).require_samples(2, 8)
    for count, batch_size in ((1, 8), (3, 1)):  # the second batch of three samples has one
        with pytest.raises(UserError, match="leave nothing for some of 2 processes"):
            Process(1, 2).require_samples(count, batch_size)
