from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.data.prepare import interactions
from mmrec.data.prepare.interactions import chronological, encode, first_of_pair
from mmrec.data.prepare.manifest import Manifest
from mmrec.data.prepare.options import PrepareOptions
from mmrec.data.prepare.pipeline import prepare
from mmrec.data.schema import ITEM_COLUMNS, RawData
from mmrec.errors import InvalidArgument, UserError
from tests.data.rows import LOOSE, Rows, prepared

DAY = 86_400


def test_period_is_half_open_and_reads_dates_and_seconds(tmp_path: Path) -> None:
    start = 1_514_764_800  # 2018-01-01
    events = [("u", str(day), start + 1 + day * DAY) for day in range(5)] + [("u", "midnight", start + 3 * DAY)]

    def left(**options: object) -> list[str]:
        return [row[1] for row in prepared(Rows(tmp_path, events), tmp_path, **options)]

    assert left(since="2018-01-03", until="2018-01-04") == left(since=20180103, until="20180104") == ["2"]
    assert left(since=start + 3 * DAY) == left(since=str(start + 3 * DAY)) == ["midnight", "3", "4"]
    assert left(until="2018-01-02T00:00:02+00:00") == ["0", "1"]
    assert left(until="2018-01-02T02:00:01+02:00") == ["0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": "yesterday"}, r"since must be a date"),
        ({"since": 2014}, r"since must be a date"),
        ({"since": "2020-01-02", "until": "2020-01-02"}, r"since \(2020-01-02\) must be before"),
        ({"sample_users": 0}, r"sample_users must be at least 1"),
        ({"newest": 0}, r"newest must be at least 1"),
        ({"item_core": 0}, r"item_core must be at least 1"),
        ({"max_bad_share": 1.5}, r"max_bad_share must be a share"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        PrepareOptions(**options)


def test_a_sample_of_users_is_drawn_by_seed_and_not_by_id(tmp_path: Path) -> None:
    def sample(name: str, seed: int, count: int = 7) -> list[int]:
        rows = Rows(tmp_path / name, [(f"{name}{user}", "i", 1 + user) for user in range(30)])
        found = prepared(rows, tmp_path, sample_users=count, sample_seed=seed)
        return [time - 1 for _, _, time, _ in found]

    first = sample("a", 0)
    assert len(first) == 7
    assert first == sample("another name", 0) != sample("a", 1)
    assert sample("a", 0, count=99) == list(range(30))


def test_newest_events_of_each_user_after_the_core(tmp_path: Path) -> None:
    events = [("u", item, time) for time, item in enumerate("abcde", 1)] + [("v", "e", 9), ("v", "a", 8), ("w", "x", 1)]
    found = prepared(Rows(tmp_path, events), tmp_path, item_core=2, newest=2)
    assert [row[:2] for row in found] == [("u", "a"), ("u", "e"), ("v", "a"), ("v", "e")]
    found = prepared(Rows(tmp_path, events), tmp_path, newest=2)
    assert [row[:2] for row in found] == [("u", "d"), ("u", "e"), ("v", "a"), ("v", "e"), ("w", "x")]


def test_weight_filters_and_needs_a_weight(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"user": ["u"] * 4, "item": list("abcd"), "timestamp": [1, 2, 3, 4], "weight": [2, 1, None, 3]}
    )
    rows = Rows(tmp_path, [])
    rows.read = lambda: RawData(table.lazy(), pl.DataFrame(schema=ITEM_COLUMNS), 4)  # type: ignore[method-assign]
    assert [row[1] for row in prepared(rows, tmp_path, min_weight=2)] == ["a", "d"]
    with pytest.raises(UserError, match="min_rating is set, but the source has no rating"):
        prepared(rows, tmp_path, min_rating=2)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(1, 4)), min_size=1, max_size=50),
    st.sampled_from([1, 3, 10, 99]),
)
def test_order_and_first_of_pairs_equal_the_naive_loop(events: list[tuple], block: int) -> None:
    schema = {"user": pl.Categorical, "item": pl.Categorical, "timestamp": pl.Int64}
    coded, users, items = encode(pl.DataFrame(events, schema=schema, orient="row"))
    assert users.to_list() == list(dict.fromkeys(event[0] for event in events))
    with mock.patch.object(interactions, "BLOCK", block):
        ordered = chronological(coded)
        first = first_of_pair(ordered)
    found = list(zip(users.gather(ordered.user), items.gather(ordered.item), ordered.timestamp.tolist(), strict=True))
    assert found == sorted(events, key=lambda event: (users.to_list().index(event[0]), event[2]))
    seen: set[tuple] = set()
    expected = [not (pair in seen or seen.add(pair)) for pair in (event[:2] for event in found)]
    assert first.tolist() == expected


def test_statistics_equal_the_naive_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    events = [(int(u), int(i), int(t)) for u, i, t in zip(*(rng.integers(1, n, 300) for n in (20, 15, 9)), strict=True)]
    texts = {str(item): "text" for item in range(1, 8)}
    options = PrepareOptions(**{**LOOSE, "repeats": "all", "split": "leave_one_out"})
    statistics = Manifest.load(prepare(Rows(tmp_path, events, texts), options, tmp_path)).statistics
    by_user = {user: sorted(time for u, _, time in events if u == user) for user in {event[0] for event in events}}
    pairs = [pair for times in by_user.values() for pair in pairwise(times)]
    assert statistics["tie_share"] == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    newest = max(time for times in by_user.values() for time in times[:-2])
    tests = [times[-1] for times in by_user.values()]
    assert statistics["leak_share"]["leave_one_out"] == pytest.approx(np.mean([time < newest for time in tests]))
    covered = [str(item) in texts for _, item, _ in events]
    assert statistics["coverage"]["text"] == pytest.approx({"items": 7 / 14, "interactions": np.mean(covered)})
    assert statistics["coverage"]["neither"]["items"] == pytest.approx(7 / 14)
    lengths = [len(times) for times in by_user.values()]
    assert statistics["per_user"]["mean"] == pytest.approx(np.mean(lengths))
    assert (statistics["per_user"]["min"], statistics["per_user"]["max"]) == (min(lengths), max(lengths))
