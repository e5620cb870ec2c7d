"""Number of users who interacted with both of two items, for all pairs of items, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from mmrec.data.catalog import TrainView

BLOCK_ELEMENTS = 2**24  # elements per block of rows: 64 MB in fp32, however large the catalogue


def co_occurrence(view: TrainView) -> Iterator[tuple[slice, Tensor]]:
    """Count the training users of each pair of items; repeated interactions count once.

    Args:
        view: the training interactions.

    Yields:
        a slice of items and their rows (rows, I) float32; the diagonal is the number of users per item. Row and column
        PAD are zero.
    """
    return co_occurrence_weighted(view, torch.ones(view.n_users))


def co_occurrence_weighted(view: TrainView, weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Sum, for each pair of items, the weights (U,) of the training users that have both.

    Args:
        view: the training interactions.
        weight: (U,) float32, what a user counts.

    Yields:
        as `co_occurrence`.
    """
    user, item = view.pairs()
    # fp32 counts exactly up to 2^24 users; index arrays of int32 halve the memory.
    places = (user.numpy().astype(np.int32), item.numpy().astype(np.int32))
    shape = (view.n_users, view.n_items)
    matrix = csr_array((np.ones(len(user), dtype=np.float32), places), shape=shape)
    transpose = csr_array((weight[user].numpy(), places), shape=shape).T.tocsr()
    height = max(1, BLOCK_ELEMENTS // view.n_items)
    for start in range(0, view.n_items, height):
        block = slice(start, min(start + height, view.n_items))
        yield block, torch.from_numpy((transpose[block] @ matrix).toarray())


def users_of_items(view: TrainView) -> Tensor:
    """Return the number of training users per item, (I,) float32: the diagonal of `co_occurrence`."""
    return torch.bincount(view.pairs()[1], minlength=view.n_items).float()
