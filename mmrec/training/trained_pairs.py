"""The user-item pairs that a run was trained on, so that a fit that starts from it can tell which tests it knows.

A run keeps them as `trained.parquet`, in the rows of its `ids.parquet`. Those of the run that it started from are
among them, as far as its data have their users and items.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from mmrec.data.catalog import Catalog
from mmrec.data.schema import Split
from mmrec.models.rows import Axis, Places
from mmrec.utils.files import write_whole
from mmrec.utils.tables import read_table

FILE = "trained.parquet"

Pairs = tuple[Tensor, Tensor]
"""Users and items, each (n,) int64."""


def keep_pairs(catalog: Catalog, folder: Path, inherited: Pairs | None = None) -> None:
    """Write the training pairs of a run, with those of the run it started from; a resumed fit has them already."""
    if inherited is None and (folder / FILE).is_file():
        return
    parts = [catalog.train.pairs(), *([] if inherited is None else [inherited])]
    table = pl.concat([pl.DataFrame({"user": users.numpy(), "item": items.numpy()}) for users, items in parts])
    write_whole(folder / FILE, table.unique().sort("user", "item").cast(pl.Int32).write_parquet)


def pairs_of(folder: Path, places: Mapping[Axis, Places]) -> Pairs:
    """Return the pairs that a run was trained on, in the rows of other data; those that the data lack are left out.

    Args:
        folder: folder of the run.
        places: where the rows of the other data are in the run.

    Raises:
        UserError: the file is missing or damaged.
    """
    table = read_table(folder / FILE, ["user", "item"], None, "train the run again")
    users = _own_rows(places["users"])[table["user"].cast(pl.Int64).to_torch()]
    items = _own_rows(places["items"])[table["item"].cast(pl.Int64).to_torch()]
    known = (users >= 0) & (items >= 0)
    return users[known], items[known]


def _own_rows(places: Places) -> Tensor:
    """Return the row of each row of the other, -1 where it has none."""
    own = torch.full((places.total,), -1, dtype=torch.int64)
    rows = torch.nonzero(places.row >= 0).squeeze(1)
    own[places.row[rows]] = rows
    return own


def held_out_again(catalog: Catalog, pairs: Pairs) -> dict[str, int]:
    """Return how many held-out interactions of each split a trained model knows more of than it should.

    It was trained on the pair; or on the item, which counts as unseen in these data.

    Args:
        catalog: the data.
        pairs: the pairs that the model was trained on.
    """
    users, items = pairs
    keys = users * catalog.n_items + items
    unseen = catalog.train.popularity == 0
    trained = torch.zeros(catalog.n_items, dtype=torch.bool)
    trained[items] = True
    counts = {}
    for split in (Split.VALID, Split.TEST):
        rows = catalog.instances(split)
        item = catalog.items[rows].long()
        known = torch.isin(catalog.user_of(rows) * catalog.n_items + item, keys) | (unseen & trained)[item]
        counts[split.name.lower()] = int(known.sum())
    return counts
