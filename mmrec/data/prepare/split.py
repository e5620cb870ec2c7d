"""The three rules that divide interactions into training, validation and test, chronological within each user."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mmrec.data.schema import Split

SplitRule = Literal["ratio", "leave_one_out", "global_time"]
RULES: tuple[SplitRule, ...] = get_args(SplitRule)


def split_interactions(offsets: NDArray[np.int64], timestamp: NDArray[np.int64], rule: SplitRule) -> NDArray[np.int8]:
    """Assign a `Split` to each interaction.

    - `ratio` (the paper's): per user, the last tenth is test, the tenth before it validation, the rest training. Each
      held-out part is rounded down but has at least one event; users with fewer than 3 events only train.
    - `leave_one_out`: per user, the last event is test, the one before it validation; likewise from 3 events on.
    - `global_time`: events after the 90 % quantile of all event times are test, those after the 80 % quantile
      validation. An event at a quantile belongs to the earlier part.

    Args:
        offsets: (U + 1,) where each user's interactions start.
        timestamp: (n,) chronological within each user.
        rule: name of the rule.

    Returns:
        (n,) int8, never decreasing within a user.
    """
    if rule == "global_time":
        # The event at the quantile itself is the last of the earlier part.
        places = [max(0, -(-len(timestamp) * tenths // 10) - 1) for tenths in (8, 9)]
        first, second = np.partition(timestamp, places)[places]
        late: NDArray[np.int8] = (timestamp > first).astype(np.int8) + (timestamp > second)
        return late
    count = np.diff(offsets)
    held = np.maximum(1, count // 10) if rule == "ratio" else np.ones_like(count)
    held[count < 3] = 0
    parts = np.stack([count - 2 * held, held, held], axis=1)
    order = np.array([Split.TRAIN, Split.VALID, Split.TEST], np.int8)
    split: NDArray[np.int8] = np.repeat(np.tile(order, len(count)), parts.ravel())
    return split


def leak_share(timestamp: NDArray[np.int64], split: NDArray[np.int8]) -> float:
    """Return the share of test events that are older than the newest training event."""
    train, test = timestamp[split == Split.TRAIN], timestamp[split == Split.TEST]
    return float((test < train.max()).mean()) if len(test) and len(train) else 0.0
