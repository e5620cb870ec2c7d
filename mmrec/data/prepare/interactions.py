"""Interactions as arrays of small integers, and the steps from raw order to sequences: filter, sort, deduplicate, core.

20 million interactions are four arrays of 160 MB at most; every step is a pass over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Times = NDArray[np.int64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

BLOCK = 1 << 24  # interactions sorted at once: bounds the memory of a sort on top of the arrays


@dataclass(frozen=True)
class Interactions:
    """Interactions in one order.

    Args:
        user: (n,) int32 codes.
        item: (n,) int32 codes.
        timestamp: (n,) int64 seconds.
        values: (n,) float32 rating and weight where they are known, NaN for single unknown ones.
        fraction: (n,) int32 nanoseconds after the timestamp, None if all are 0.
    """

    user: Codes
    item: Codes
    timestamp: Times
    values: Mapping[str, Floats]
    fraction: Codes | None = None

    def __len__(self) -> int:
        return len(self.user)

    def take(self, mask: Mask) -> Interactions:
        """Return the marked rows."""
        values = {name: value[mask] for name, value in self.values.items()}
        fraction = None if self.fraction is None else self.fraction[mask]
        return Interactions(self.user[mask], self.item[mask], self.timestamp[mask], values, fraction)


def encode(table: pl.DataFrame) -> tuple[Interactions, pl.Series, pl.Series]:
    """Replace ids by codes in order of first appearance.

    Args:
        table: columns of `INTERACTION_COLUMNS`.

    Returns:
        the interactions in the order of the table, and the ids of users and items by code.
    """
    codes, ids = {}, {}
    for column in ("user", "item"):
        physical = table[column].to_physical().to_numpy()
        first, order = _first_rows(physical)
        new = np.zeros(len(first), np.int32)
        new[order] = np.arange(len(order), dtype=np.int32)
        codes[column] = new[physical]
        ids[column] = table[column].gather(first[order]).cast(pl.String)
        table = table.drop(column)  # its memory is free where the caller keeps no table
    known = [name for name in ("rating", "weight") if name in table.columns]
    values: dict[str, Floats] = {name: table[name].fill_null(float("nan")).to_numpy() for name in known}
    fraction = table["fraction"].to_numpy() if "fraction" in table.columns else None
    events = Interactions(codes["user"], codes["item"], table["timestamp"].to_numpy(), values, fraction)
    return events, ids["user"], ids["item"]


def _first_rows(codes: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row of each code, -1 for one that does not occur, and the codes in order of that row."""
    first = np.full(int(codes.max(initial=0)) + 1, -1, np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of repeated codes the last assignment stays
    present = np.flatnonzero(first >= 0)
    return first, present[np.argsort(first[present])]


def chronological(events: Interactions) -> Interactions:
    """Group by user, oldest first; equal times stay in the order they have. Only user, item and timestamp are kept."""
    user, item, timestamp = np.empty_like(events.user), np.empty_like(events.item), np.empty_like(events.timestamp)
    start = 0
    for first, last in _user_ranges(events.user):
        rows = np.flatnonzero((events.user >= first) & (events.user < last))
        keys = pl.DataFrame({"user": events.user[rows], "timestamp": events.timestamp[rows]})
        if events.fraction is not None:
            keys = keys.with_columns(fraction=events.fraction[rows])
        order = keys.select(pl.arg_sort_by(*keys.columns, maintain_order=True)).to_series()
        rows = rows[order.to_numpy()]
        part = slice(start, start + len(rows))
        user[part], item[part], timestamp[part] = events.user[rows], events.item[rows], events.timestamp[rows]
        start = part.stop
    return Interactions(user, item, timestamp, {})


def _user_ranges(user: Codes) -> list[tuple[int, int]]:
    """Cut the users into ranges [first, last) of about BLOCK interactions each."""
    ends = np.cumsum(np.bincount(user))
    cuts = np.searchsorted(ends, np.arange(BLOCK, len(user), BLOCK)) + 1
    return list(pairwise(np.unique([0, *cuts, len(ends)]).tolist()))


def first_of_pair(events: Interactions) -> Mask:
    """Mark the first event of each user-item pair, of events grouped by user."""
    first = np.zeros(len(events), np.bool_)
    for users in _user_ranges(events.user):
        start, end = np.searchsorted(events.user, users)
        pair = (events.user[start:end].astype(np.int64) << 32) | events.item[start:end]
        order = np.argsort(pair, kind="stable")
        ordered = pair[order]
        new = np.ones(len(pair), np.bool_)
        new[1:] = ordered[1:] != ordered[:-1]
        first[start + order[new]] = True
    return first


def newest_of_user(events: Interactions, count: int) -> Mask:
    """Mark the newest events of each user, at most so many, of events grouped by user, oldest first."""
    ends = np.cumsum(np.bincount(events.user))
    newest: Mask = np.arange(len(events)) >= ends[events.user] - count
    return newest


def core(events: Interactions, user_core: int, item_core: int, iterate: bool) -> Interactions:
    """Keep users and items with enough interactions: once, or repeated until all left have enough (a k-core)."""
    while len(events):
        enough = (np.bincount(events.user) >= user_core)[events.user]
        enough &= (np.bincount(events.item) >= item_core)[events.item]
        done = bool(enough.all()) or not iterate
        events = events if enough.all() else events.take(enough)
        if done:
            break
    return events


def renumber(codes: Codes) -> tuple[Codes, NDArray[np.int64]]:
    """Close the gaps that filters have left; return the new codes and the old code of each new one."""
    old = np.flatnonzero(np.bincount(codes))
    new = np.zeros(int(codes.max(initial=0)) + 1, np.int32)
    new[old] = np.arange(len(old), dtype=np.int32)
    return new[codes], old
