"""The sampled protocol `uniform100`: the target against 100 items drawn uniformly (its metrics carry its name).

Sampled metrics order models differently than full ranking does (Krichene and Rendle, KDD 2020). They are here to
compare with papers that report them, under names that no table can mistake.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.batch import PAD
from mmrec.data.catalog import Catalog
from mmrec.errors import UserError

COUNT = 100
BLOCK_ELEMENTS = 2**24  # random numbers alive at a time: 64 MB


def uniform_candidates(catalog: Catalog, rows: Tensor) -> Tensor:
    """Draw 100 distinct items that the user of each row never interacted with.

    The draw depends on the data alone, not on the run's seed, so that all models face the same candidates.

    Args:
        catalog: the dataset.
        rows: (n,) held-out interactions.

    Returns:
        (n, 100) int64.

    Raises:
        UserError: a user has fewer than 100 unknown items.
    """
    generator = torch.Generator().manual_seed(0)
    parts = []
    for part in rows.split(max(1, BLOCK_ELEMENTS // catalog.n_items)):
        noise = torch.rand(len(part), catalog.n_items, generator=generator)
        user = catalog.user_of(part)
        starts, counts = catalog.offsets[user], catalog.offsets.diff()[user]
        row = torch.repeat_interleave(torch.arange(len(part)), counts)
        place = torch.arange(int(counts.sum())) + torch.repeat_interleave(starts - counts.cumsum(0) + counts, counts)
        noise[row, catalog.items[place]] = -1.0
        noise[:, PAD] = -1.0
        drawn = noise.topk(min(COUNT, catalog.n_items), dim=1)
        if drawn.values.shape[1] < COUNT or (drawn.values < 0).any():
            raise UserError(
                f"data.candidates: uniform100 needs {COUNT} items that a user does not know, and the catalogue of "
                f"{catalog.n_items - 1} items has too few: use candidates: all"
            )
        parts.append(drawn.indices)
    return torch.cat(parts) if parts else rows.new_empty(0, COUNT)
