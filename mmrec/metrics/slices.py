"""The ranking metrics by slice of the target item: what it has, and how often training saw it.

| slice | the target item |
|---|---|
| `image_present`, `image_missing` | has a picture that the model can read, or not |
| `text_present`, `text_missing` | the same of its text |
| `neither` | has no text and no picture: part of both missing slices |
| `cold` | has fewer than 20 training interactions |
| `unseen` | has none at all: part of `cold` |
| `head`, `tail` | is among the most popular 20 % of the items in training, or not |

The 20 % are how long-tail work on sequential recommendation splits items (Kim et al., "MELT", SIGIR 2023, after
Pareto). Items of the same popularity stay together: the level that crosses the 20 % is head as a whole. An item
without a training interaction is tail in any case.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.metrics.ranking import mean_metrics

COLD = 20
"""Training interactions below which an item is cold: the paper's minimum for an item to stay in its data."""
HEAD_PARTS = 5
"""One part in so many of the items is the head."""


def item_slices(popularity: Tensor, has_text: Tensor, has_image: Tensor) -> dict[str, Tensor]:
    """Say which items belong to which slice.

    Args:
        popularity: (I,) int64, training interactions of each item; row 0 is padding.
        has_text: (I,) bool, items whose text the model can read.
        has_image: (I,) bool, items whose picture the model can read.

    Returns:
        (I,) bool by name of the slice; row 0 means nothing.
    """
    head = head_items(popularity)
    return {
        "image_present": has_image,
        "image_missing": ~has_image,
        "text_present": has_text,
        "text_missing": ~has_text,
        "neither": ~has_text & ~has_image,
        "cold": popularity < COLD,
        "unseen": popularity == 0,
        "head": head,
        "tail": ~head,
    }


def head_items(popularity: Tensor) -> Tensor:
    """Return (I,) bool, the most popular 20 % of the items by popularity (I,), whole levels; never one with none."""
    levels = popularity[1:].sort(descending=True).values
    last = levels[-(-len(levels) // HEAD_PARTS) - 1]
    return popularity >= torch.clamp(last, min=1)


def slice_metrics(
    ranks: Tensor, targets: Tensor, slices: dict[str, Tensor], suffix: str = ""
) -> dict[str, dict[str, float | None]]:
    """Average the metrics over the instances of each slice.

    Args:
        ranks: (n,) the rank of each instance's target.
        targets: (n,) int64, the target items.
        slices: (I,) bool by name, see `item_slices`.
        suffix: of the metrics' names, "_uniform100" for the sampled protocol.

    Returns:
        by name of the slice: "instances", their number, and each metric, None where there is no instance.
    """
    result: dict[str, dict[str, float | None]] = {}
    for name, members in slices.items():
        own = ranks[members[targets]]
        means = mean_metrics(own, suffix)
        result[name] = {
            "instances": len(own),
            **{metric: value.item() if len(own) else None for metric, value in means.items()},
        }
    return result
