"""The protocol of held-out items: some items lose all their training interactions, as if they had just arrived.

Their validation and test interactions are left. So the slice `unseen` of a result is how such items rank within the
full catalogue, and `data.candidates: unseen` ranks them among themselves.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmrec.batch import PAD
from mmrec.data.catalog import Catalog
from mmrec.data.schema import Split
from mmrec.errors import UserError

SEED = 20_260_216


def without_held_out(item: NDArray[np.int32], split: NDArray[np.int8], share: float) -> NDArray[np.bool_]:
    """Return which interactions stay when a share of the items loses its training interactions.

    The draw depends on the items alone: the same data gives the same held-out items.

    Args:
        item: (n,) item indices, 1 .. I - 1.
        split: (n,) `Split`.
        share: share of the items, drawn uniformly.

    Returns:
        (n,) bool.
    """
    items = np.unique(item)
    drawn = np.random.default_rng(SEED).choice(items, size=round(share * len(items)), replace=False)
    stays: NDArray[np.bool_] = ~(np.isin(item, drawn) & (split == Split.TRAIN))
    return stays


def unseen_targets(catalog: Catalog, rows: Tensor) -> Tensor:
    """Return the held-out interactions (m,) whose item has no training interaction.

    Raises:
        UserError: the data has no such interaction.
    """
    kept = rows[catalog.train.popularity[catalog.items[rows].long()] == 0]
    if not len(kept):
        raise UserError(
            "candidates: unseen needs targets without training interactions, and the data has none: set "
            "hold_out_items, for example to 0.1"
        )
    return kept


def unseen_candidates(catalog: Catalog, rows: Tensor) -> Tensor:
    """Return, for each of some interactions with an unseen target, the other unseen items.

    An unseen item that the user interacted with before is replaced by PAD, which is never above a target.

    Args:
        catalog: the dataset.
        rows: (m,) interactions, see `unseen_targets`.

    Returns:
        (m, C) int64, C + 1 the number of unseen items.
    """
    unseen = torch.nonzero(catalog.train.popularity[1:] == 0).squeeze(1) + 1
    others = unseen.expand(len(rows), -1)
    target = catalog.items[rows].long()
    others = others[others != target[:, None]].view(len(rows), -1).clone()
    for place, (row, start) in enumerate(
        zip(rows.tolist(), catalog.offsets[catalog.user_of(rows)].tolist(), strict=True)
    ):
        others[place, torch.isin(others[place], catalog.items[start:row].long())] = PAD
    return others
