"""Which interactions are for training, validation and test: three rules, all chronological within each user."""

from __future__ import annotations

from typing import Literal

import polars as pl

from mmrec.data.schema import Split

SplitRule = Literal["ratio", "leave_one_out", "global_time"]


def split_interactions(table: pl.DataFrame, rule: SplitRule) -> pl.Series:
    """Assign a `Split` to each interaction.

    - `ratio` (the paper's): per user, the last tenth is test, the tenth before it validation, the rest training. Each
      held-out part is rounded down but has at least one event; users with fewer than 3 events only train.
    - `leave_one_out`: per user, the last event is test, the one before it validation; likewise from 3 events on.
    - `global_time`: events after the 90 % quantile of all event times are test, those after the 80 % quantile
      validation. An event at a quantile belongs to the earlier part.

    Args:
        table: columns user and timestamp, grouped by user, chronological within each.
        rule: one of the three.

    Returns:
        (n,) int8, never falling within a user.
    """
    if rule == "global_time":
        times = table["timestamp"].sort()
        # The event at the quantile itself is the last of the earlier part.
        cuts = [times[max(0, -(-len(times) * tenths // 10) - 1)] for tenths in (8, 9)]
        late = pl.col("timestamp")
        expression = (late > cuts[0]).cast(pl.Int8) * int(Split.VALID) + (late > cuts[1]).cast(pl.Int8)
        return table.select(expression.alias("split"))["split"]
    count = pl.len().over("user").cast(pl.Int64)
    from_end = count - 1 - pl.int_range(pl.len(), dtype=pl.Int64).over("user")
    held = pl.max_horizontal(pl.lit(1), count // 10) if rule == "ratio" else pl.lit(1)
    held = pl.when(count >= 3).then(held).otherwise(0)
    expression = (
        pl.when(from_end < held)
        .then(int(Split.TEST))
        .when(from_end < 2 * held)
        .then(int(Split.VALID))
        .otherwise(int(Split.TRAIN))
        .cast(pl.Int8)
    )
    return table.select(expression.alias("split"))["split"]
