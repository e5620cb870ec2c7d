"""The ranking metrics by slice of the target item: its modalities and its number of training interactions.

| slice | the target item |
|---|---|
| `image_present`, `image_missing` | has an image that the model can read, or not |
| `text_present`, `text_missing` | has a text that the model can read, or not |
| `neither` | has neither text nor image: part of both missing slices |
| `cold` | has fewer than 20 training interactions |
| `unseen` | has no training interaction: part of `cold` |
| `head`, `tail` | is among the most popular 20 % of the items in training, or not |

20 % is the usual split in work on long-tail sequential recommendation (Kim et al., "MELT", SIGIR 2023, after Pareto).
Items of the same popularity are not separated: all items of the level that crosses the 20 % are head. An item without
training interactions is always tail.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmrec.metrics.ranking import CUTOFFS, mean_metrics

COLD = 20
"""Number of training interactions below which an item is cold: the paper's minimum for an item in its data."""
HEAD_PARTS = 5
"""The head is one part of this many equal parts of the items."""


def item_slices(popularity: Tensor, has_text: Tensor, has_image: Tensor) -> dict[str, Tensor]:
    """Return which items belong to each slice, (I,) bool by name of the slice; row 0 has no meaning.

    Args:
        popularity: (I,) int64, number of training interactions of each item; row 0 is padding.
        has_text: (I,) bool, items with a text that the model can read.
        has_image: (I,) bool, items with an image that the model can read.
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
    """Return the most popular 20 % of the items, (I,) bool, as whole levels of popularity (I,) and above 0."""
    levels = popularity[1:].sort(descending=True).values
    last = levels[-(-len(levels) // HEAD_PARTS) - 1]
    return popularity >= torch.clamp(last, min=1)


def slice_metrics(
    ranks: Tensor, targets: Tensor, slices: dict[str, Tensor], suffix: str = "", cutoffs: Sequence[int] = CUTOFFS
) -> dict[str, dict[str, float | None]]:
    """Return the metrics averaged over the instances of each slice.

    Args:
        ranks: (n,) rank of each instance's target.
        targets: (n,) int64, the target items.
        slices: (I,) bool by name of the slice, see `item_slices`.
        suffix: suffix of the metrics' names, "_uniform100" for the sampled protocol.
        cutoffs: the k of HR@k and NDCG@k.

    Returns:
        by name of the slice, the number of its "instances" and each metric; None if the slice is empty.
    """
    result: dict[str, dict[str, float | None]] = {}
    for name, members in slices.items():
        own = ranks[members[targets]]
        means = mean_metrics(own, suffix, cutoffs)
        result[name] = {
            "instances": len(own),
            **{metric: value.item() if len(own) else None for metric, value in means.items()},
        }
    return result
