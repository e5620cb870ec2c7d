"""Statistics of a prepared dataset: those of the paper's Table 1, and measures of ties, leaks and coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.prepare.split import RULES, SplitRule, leak_share, split_interactions
from mmrec.data.schema import Split

Ints = NDArray[np.integer[Any]]


def describe(
    offsets: NDArray[np.int64],
    item: Ints,
    timestamp: NDArray[np.int64],
    split: NDArray[np.int8],
    items: pl.DataFrame,
    *,
    rule: SplitRule,
    timed: bool = True,
) -> dict[str, Any]:
    """Return the statistics that the manifest carries.

    Args:
        offsets: (U + 1,) where each user's interactions start.
        item: (n,) item indices.
        timestamp: (n,) seconds, chronological within each user.
        split: (n,) `Split`.
        items: `items.parquet`, row = item index.
        rule: rule by which `split` was made.
        timed: whether timestamps are times; if false they are positions, and `leak_share` is empty.

    Returns:
        | key | value |
        |---|---|
        | `density` | share of all user-item pairs, repeats counted |
        | `per_user`, `per_item` | interactions of one: mean, minimum, 5, 50 and 95 % quantiles, maximum |
        | `period` | first and last timestamp |
        | `tie_share` | share of consecutive events of a user with the same timestamp |
        | `leak_share` | by rule, share of test events older than the newest training event; by `rule` that of `split` |
        | `without_history` | held-out events by split that have no event before them and are not ranked |
        | `coverage` | share of items, and of interactions, with text, image, both, neither |
    """
    lengths = np.diff(offsets)
    popularity = np.bincount(item, minlength=len(items))[1:]
    pairs = np.ones(max(0, len(item) - 1), np.bool_)
    pairs[offsets[1:-1] - 1] = False  # two users are not a pair
    tied = pairs & (timestamp[1:] == timestamp[:-1])
    first = split[offsets[:-1]]
    return {
        "density": len(item) / (len(lengths) * len(popularity)),
        "per_user": _spread(lengths),
        "per_item": _spread(popularity),
        "period": [int(timestamp.min()), int(timestamp.max())],
        "tie_share": int(tied.sum()) / max(1, int(pairs.sum())),
        "leak_share": {
            name: leak_share(timestamp, split if name == rule else split_interactions(offsets, timestamp, name))
            for name in RULES
        }
        if timed
        else {},
        "without_history": {part.name.lower(): int((first == part).sum()) for part in (Split.VALID, Split.TEST)},
        "coverage": _coverage(items[1:], popularity),
    }


def _spread(counts: Ints) -> dict[str, float]:
    quantiles = np.quantile(counts, [0, 0.05, 0.5, 0.95, 1], method="nearest")
    names = ("min", "q05", "median", "q95", "max")
    return {"mean": float(counts.mean()), **dict(zip(names, quantiles.tolist(), strict=True))}


def _coverage(items: pl.DataFrame, popularity: Ints) -> dict[str, dict[str, float]]:
    text, image = (items[name].is_not_null().to_numpy() for name in ("text", "image"))
    kinds = {"text": text, "image": image, "both": text & image, "neither": ~text & ~image}
    total = int(popularity.sum())
    return {
        name: {"items": float(has.mean()), "interactions": int(popularity[has].sum()) / total}
        for name, has in kinds.items()
    }
