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
from mmrec.errors import UserError
from mmrec.models.rows import Axis, Places
from mmrec.utils.files import write_whole
from mmrec.utils.tables import read_table

FILE = "trained.parquet"
AGAIN = "train the run again"

Pairs = tuple[Tensor, Tensor]
"""Users and items, each (n,) int64."""


def keep_pairs(catalog: Catalog, folder: Path, inherited: Pairs | None = None) -> None:
    """Write the training pairs of a run, with those of the run it started from; a resumed fit has them already."""
    if inherited is None and (folder / FILE).is_file():
        return
    table = _table(catalog.train.pairs())
    if inherited is not None:
        table = pl.concat([table, _table(inherited)]).unique().sort("user", "item")
    write_whole(folder / FILE, table.write_parquet)


def _table(pairs: Pairs) -> pl.DataFrame:
    return pl.DataFrame({name: part.int().numpy() for name, part in zip(("user", "item"), pairs, strict=True)})


def pairs_of(folder: Path, places: Mapping[Axis, Places]) -> Pairs | None:
    """Return the pairs that a run was trained on, in the rows of other data; those that the data lack are left out.

    Args:
        folder: folder of the run.
        places: where the rows of the other data are in the run.

    Returns:
        the pairs; None for a run of an earlier version, which has not kept them.

    Raises:
        UserError: the file is damaged.
    """
    if not (folder / FILE).is_file():
        return None
    table = read_table(folder / FILE, ["user", "item"], None, AGAIN)
    found = []
    for column, place in ((table["user"], places["users"]), (table["item"], places["items"])):
        if not column.dtype.is_integer() or not column.is_between(0, place.total - 1).all():
            raise UserError(f"{folder / FILE}: holds rows that are not in the run's ids; {AGAIN}")
        found.append(_own_rows(place)[column.cast(pl.Int64).to_torch()])
    users, items = found
    known = (users >= 0) & (items >= 0)
    return users[known], items[known]


def _own_rows(places: Places) -> Tensor:
    """Return the row of each row of the other, -1 where it has none."""
    own = torch.full((places.total,), -1, dtype=torch.int64)
    rows = torch.nonzero(places.row >= 0).squeeze(1)
    own[places.row[rows]] = rows
    return own


def held_out_again(catalog: Catalog, pairs: Pairs) -> dict[str, int]:
    """Return the number of held-out interactions per split that a model was trained on.

    Those of an item count too that it was trained on although the item counts as unseen in these data.

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
