"""The protocol of held-out items: some items lose all their training interactions, as if they had just arrived.

Their validation and test interactions are left. So the slice `unseen` of a result is how such items rank within the
full catalogue, and `data.candidates: unseen` ranks them among themselves. `data.candidates: seen` ranks the other
targets without them: the difference to full ranking is what the other items lose to them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmrec.data.catalog import Catalog
from mmrec.data.schema import Split
from mmrec.errors import UserError

SEED = 20_260_216

Group = Literal["seen", "unseen"]


def without_held_out(item: NDArray[np.int32], split: NDArray[np.int8], share: float) -> NDArray[np.bool_]:
    """Return which interactions stay when a share of the items, at least one, loses its training interactions.

    The draw depends on the items alone: the same data gives the same held-out items.

    Args:
        item: (n,) item indices, 1 .. I - 1.
        split: (n,) `Split`.
        share: share of the items, drawn uniformly.

    Returns:
        (n,) bool.
    """
    items = np.unique(item)
    count = max(1, round(share * len(items)))
    drawn = np.random.default_rng(SEED).choice(items, size=count, replace=False)
    stays: NDArray[np.bool_] = ~(np.isin(item, drawn) & (split == Split.TRAIN))
    return stays


def among(catalog: Catalog, rows: Tensor, group: Group) -> tuple[Tensor, Tensor]:
    """Return the held-out interactions whose item belongs to a group, and the items of the group as their candidates.

    Args:
        catalog: the dataset.
        rows: (n,) held-out interactions.
        group: "seen" for items with training interactions, "unseen" for items without.

    Returns:
        Interactions (m,) and candidates (m, C) int64; the rows of the candidates share one memory.

    Raises:
        UserError: no interaction is left.
    """
    belongs = (catalog.train.popularity > 0) == (group == "seen")
    kept = rows[belongs[catalog.items[rows].long()]]
    if not len(kept):
        without = "without" if group == "unseen" else "with"
        raise UserError(
            f"candidates: {group} needs targets {without} training interactions, and the data has none: set "
            f"hold_out_items {'to a share of the items, for example to 0.1' if group == 'unseen' else 'lower'}"
        )
    items = torch.nonzero(belongs[1:]).squeeze(1) + 1
    return kept, items.expand(len(kept), -1)
