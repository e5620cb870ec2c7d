"""The filters of the preparation, with the number of interactions that each drops."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from mmrec.data.prepare.interactions import (
    Codes,
    Interactions,
    Mask,
    chronological,
    core,
    first_of_pair,
    newest_of_user,
)
from mmrec.data.prepare.options import PrepareOptions
from mmrec.errors import UserError

NONE_AT_ALL = {
    "require_text": "none of the remaining items has a text: check that the source finds its item records (for Amazon "
    "meta_<category> in the folder of the reviews) and that their ids are those of the interactions",
    "require_image": "none of the remaining items has an image: put them where the source looks for them, or try mmrec "
    "download images",
}


@dataclass
class Dropped:
    """Filters applied one by one, with the number of interactions that each drops."""

    counts: dict[str, int] = field(default_factory=dict)

    def keep(self, name: str, events: Interactions, mask: Mask) -> Interactions:
        """Return the marked events.

        Raises:
            UserError: nothing is left.
        """
        left = int(mask.sum())
        self.counts[name] = len(events) - left
        if not left and name in NONE_AT_ALL:
            raise UserError(f"{NONE_AT_ALL[name]}, or set {name}: false")
        if not left:
            raise UserError(f"no interaction is left after the filter {name}: relax the option {name}")
        return events if left == len(events) else events.take(mask)


def filter_events(events: Interactions, options: PrepareOptions, dropped: Dropped, timed: bool) -> Interactions:
    """Apply the filters that look at one event at a time: rating, weight, period, sample of users.

    Raises:
        UserError: nothing is left, or the data has no rating, weight or time to filter by.
    """
    for name, least in (("rating", options.min_rating), ("weight", options.min_weight)):
        if least is None:
            continue
        if name not in events.values:
            raise UserError(f"min_{name} is set, but the source has no {name}")
        events = dropped.keep(f"min_{name}", events, events.values[name] >= least)
    since, until = options.period()
    if not timed and (since is not None or until is not None or options.split == "global_time"):
        raise UserError("the source has an order and no times: leave out since and until, and choose another split")
    if since is not None:
        events = dropped.keep("since", events, events.timestamp >= since)
    if until is not None:
        events = dropped.keep("until", events, events.timestamp < until)
    if options.sample_users is not None:
        users = np.flatnonzero(np.bincount(events.user))
        draw = np.random.default_rng(options.sample_seed)
        drawn = np.zeros(int(users[-1]) + 1, np.bool_)
        drawn[draw.choice(users, min(options.sample_users, len(users)), replace=False)] = True
        events = dropped.keep("sample_users", events, drawn[events.user])
    return events


def order_events(events: Interactions, items: pl.DataFrame, options: PrepareOptions, dropped: Dropped) -> Interactions:
    """Group by user, oldest first, and drop items without text and repeated pairs as the options ask.

    Args:
        events: events in file order.
        items: row = code, column text.
        options: which filters are applied.
        dropped: counts what they drop.

    Raises:
        UserError: nothing is left.
    """
    if options.require_text:
        events = dropped.keep("require_text", events, items["text"].is_not_null().to_numpy()[events.item])
    events = chronological(events)
    if options.repeats == "first":
        events = dropped.keep("repeats", events, first_of_pair(events))
    return events


def filter_core(events: Interactions, items: pl.DataFrame, options: PrepareOptions, dropped: Dropped) -> Interactions:
    """Drop items without an image if the options ask for one, users and items with too few interactions, old events.

    Raises:
        UserError: nothing is left.
    """
    if options.require_image:
        events = dropped.keep("require_image", events, items["image"].is_not_null().to_numpy()[events.item])
    left = core(events, options.user_core, options.item_core, options.iterate_core)
    dropped.counts["core"] = len(events) - len(left)
    if not len(left):
        raise UserError(
            f"no interaction is left after the {options.user_core}/{options.item_core}-core: lower user_core or "
            f"item_core; before it, half of the users have at most {_median_count(events.user):g} interactions, and "
            f"half of the items at most {_median_count(events.item):g}"
        )
    return left if options.newest is None else dropped.keep("newest", left, newest_of_user(left, options.newest))


def _median_count(ids: Codes) -> float:
    counts = np.bincount(ids)
    return float(np.median(counts[counts > 0])) if len(ids) else 0.0
