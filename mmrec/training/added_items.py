"""Items that were added to a run after training, kept in its folder as `added_items.parquet`."""

from __future__ import annotations

from pathlib import Path

from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.new_items import AddedItems
from mmrec.data.features.store import Features
from mmrec.data.features.transforms import transforms_of
from mmrec.errors import UserError
from mmrec.models.recommender import Recommender

FILE = "added_items.parquet"


def read_added(folder: Path, features: Features | None) -> AddedItems | None:
    """Return the items that were added to a run; None where there are none.

    Args:
        folder: the run's folder.
        features: the features of its data.

    Raises:
        UserError: the file is damaged, or does not fit the features.
    """
    if features is None or not (folder / FILE).is_file():
        return None
    return AddedItems.load(folder / FILE, transforms_of(features))


def grow(
    model: Recommender, catalog: Catalog, features: Features | None, added: AddedItems
) -> tuple[Catalog, Features]:
    """Let a model, and return the catalogue and the features, have the items of one addition.

    Raises:
        InvalidArgument: the model knows items by id alone.
    """
    model.require_content()
    assert features is not None  # a model that reads content has them
    grown = catalog.with_items(added.table, added.sizes)
    vectors = features.with_items(added.vectors, added.present, transforms_of(features))
    model.add_items(grown, vectors)
    return grown, vectors


def restore_added(model: Recommender, data: RecDataModule, folder: Path) -> None:
    """Let a trained model and its data have the items that were added to the run.

    Raises:
        UserError: the file is damaged, or does not fit the data.
    """
    added = read_added(folder, data.features)
    if added is None:
        return
    catalog, features = data.catalog, data.features
    if known := set(added.table["raw_id"]) & set(catalog.item_table["raw_id"]):
        raise UserError(f"{folder / FILE}: item {min(known)} is in the data itself: remove it by `mmrec items remove`")
    for some in added.additions():
        catalog, features = grow(model, catalog, features, some)
    data.catalog, data.features = catalog, features
