import math

import torch

from mmrec.data.catalog import TrainView
from mmrec.nn.recent_popularity import DAY, FLOOR, RecentPopularity


def view_of(items: list[int], days: list[float]) -> TrainView:
    offsets = torch.tensor([0, len(items)])
    return TrainView(1, 4, offsets, torch.tensor(items, dtype=torch.int32), (torch.tensor(days) * DAY).long())


def test_only_events_of_earlier_periods_count_and_they_fade() -> None:
    popularity = RecentPopularity(days=10.0)
    items, days = [1, 2, 1, 3], [0.0, 2.25, 5.5, 7.0]
    popularity.set_view(view_of(items, days))
    for query in (0.5, 2.75, 6.0, 7.5, 30.0):
        row = popularity.table[popularity.period(torch.tensor([int(query * DAY)]))[0]]
        start = min(math.floor(query), 8)  # all that comes after the last event's day is one period
        for item in (1, 2, 3):
            events = [day for i, day in zip(items, days, strict=True) if i == item and math.floor(day) < start]
            expected = math.log(FLOOR + sum(math.exp(-(start - day) / 10) for day in events))
            assert math.isclose(float(row[item]), expected, rel_tol=1e-5), (query, item)


def test_an_event_is_not_part_of_its_own_score() -> None:
    popularity = RecentPopularity(days=10.0)
    popularity.set_view(view_of([1, 2], [3.0, 3.9]))
    rows = popularity.table[popularity.period(torch.tensor([3 * DAY, int(3.9 * DAY)]))]
    assert torch.equal(rows, torch.full((2, 4), math.log(FLOOR)))


def test_a_long_span_has_wider_periods_not_more() -> None:
    popularity = RecentPopularity(days=100.0)
    popularity.set_view(view_of([1, 2], [0.0, 10_000.0]))
    assert len(popularity.table) <= 514


def test_another_view_is_counted_as_if_it_were_the_first() -> None:
    again, first = RecentPopularity(days=10.0), RecentPopularity(days=10.0)
    again.set_view(view_of([1, 2], [0.0, 3.0]))
    for popularity in (again, first):
        popularity.set_view(view_of([1, 2, 3], [0.0, 50.0, 51.0]))
    assert torch.equal(again.table, first.table)
