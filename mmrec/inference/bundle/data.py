"""The part of a prepared dataset that a bundle carries: the items, the training interactions and the features."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders import FeatureEncoder
from mmrec.data.features.encoders.base import MODALITIES
from mmrec.data.features.store import MANIFEST, WHITENING, Features
from mmrec.data.features.transforms import FeatureTransforms
from mmrec.data.schema import SEQUENCES, Split
from mmrec.errors import UserError
from mmrec.training.instantiate import build
from mmrec.utils.arrays import write_array
from mmrec.utils.files import hash_file, write_whole

DATA = "data"
IMAGES = "images"
TRANSFORMS = "transforms.npz"


class BundleCatalog(Catalog):
    """The dataset folder of a bundle: only training interactions, without raw ids of users unless the model needs them.

    Args:
        folder: the dataset folder.
        newest: the newest time in the whole data, in seconds; the held-out interactions it may belong to are not here.
    """

    def __init__(self, folder: Path, newest: int) -> None:
        super().__init__(folder)
        self._newest = newest

    @cached_property
    def newest(self) -> int:
        """Time of the newest interaction of the whole data, in seconds."""
        return self._newest

    @cached_property
    def item_table(self) -> pl.DataFrame:
        """The rows of `items.parquet`, the images of the bundle by their full paths."""
        own = pl.col("image").str.starts_with(f"{IMAGES}/")
        full = pl.lit(f"{self.folder.absolute()}/") + pl.col("image")
        return super().item_table.with_columns(image=pl.when(own).then(full).otherwise("image"))


class BundleData:
    """The data of a bundle, as a `TrainedRecommender` reads it.

    Args:
        catalog: the items and the training interactions.
        features: folder of the features; None without features.
        encoder: class and arguments of the features' encoder; None without features.
        max_length: L, the longest window.
        mask_history: whether items of a history are left out of its recommendations.
    """

    def __init__(
        self,
        catalog: BundleCatalog,
        features: Path | None,
        encoder: Mapping[str, Any] | None,
        *,
        max_length: int,
        mask_history: bool,
    ) -> None:
        self.catalog = catalog
        self.max_length = max_length
        self.mask_history = mask_history
        self._features = features
        self._encoder = encoder

    @cached_property
    def features(self) -> Features | None:
        """The features of the items, with the transforms by which the model reads them."""
        if self._features is None:
            return None
        features = Features(self._features)
        features.transforms = FeatureTransforms.load(self.catalog.folder.parent / TRANSFORMS)
        return features

    @cached_property
    def encoder(self) -> FeatureEncoder | None:
        """The encoder that made the features, built on first use: it may need weights that are not on this machine."""
        if self._encoder is None:
            return None
        foreign = [path for path in class_paths(self._encoder) if not path.startswith("mmrec.")]
        if foreign:  # a manifest must not be able to call whatever is installed
            raise UserError(
                f"{self.catalog.folder.parent}: {foreign[0]} is not an encoder of mmrec, so it is not built"
            )
        built: FeatureEncoder = build(FeatureEncoder, self._encoder)  # type: ignore[type-abstract]
        return built


def class_paths(config: object) -> list[str]:
    """Return every `class_path` in nested plain values."""
    if isinstance(config, list):
        return [path for one in config for path in class_paths(one)]
    if not isinstance(config, Mapping):
        return []
    own = [str(config["class_path"])] if "class_path" in config else []
    return own + [path for one in config.values() for path in class_paths(one)]


def write_data(catalog: Catalog, folder: Path, *, users: bool, images: bool) -> None:
    """Write the training interactions and the items of a dataset as a dataset folder.

    Args:
        catalog: the whole dataset.
        folder: the dataset folder to make.
        users: whether raw ids of users are kept; otherwise a user is a number.
        images: whether the items' images are copied into the folder; otherwise their paths are kept.
    """
    (folder / SEQUENCES).mkdir(parents=True)
    view = catalog.train
    user = view.users.to(dtype=view.items.dtype).numpy()
    columns = {
        "item": view.items.numpy(),
        "timestamp": view.timestamp.numpy(),
        "split": np.full(len(user), int(Split.TRAIN), np.int8),
    }
    for name, array in {**columns, "offsets": view.offsets.numpy()}.items():
        write_array(folder / SEQUENCES / f"{name}.npy", array)
    items = _with_images(catalog.item_table, folder) if images else catalog.item_table
    items.write_parquet(folder / "items.parquet")
    names = catalog.user_ids if users else [str(number) for number in range(catalog.n_users)]
    numbers = pl.int_range(catalog.n_users, dtype=pl.Int32, eager=True)
    pl.DataFrame({"user": numbers, "raw_id": pl.Series(names, dtype=pl.String)}).write_parquet(folder / "users.parquet")
    digest = hashlib.sha256()
    for array in (user, *columns.values()):
        digest.update(array.data)
    replace(
        catalog.manifest,
        n_interactions=len(user),
        splits={part.name.lower(): len(user) * (part is Split.TRAIN) for part in Split},
        statistics={},
        inputs=[],
        rejected={},
        notes={},
        data_hash=digest.hexdigest(),
        files={name: hash_file(folder / name) for name in ("items.parquet", "users.parquet")},
    ).save(folder)


def write_features(features: Features, folder: Path) -> Path:
    """Write the features as the model reads them, before centring, below a dataset folder; return their folder."""
    target = folder / "features" / features.folder.name
    parts: dict[str, Any] = {}
    for modality in MODALITIES:
        vectors, present = target / f"{modality}.npy", target / f"{modality}_present.npy"
        write_array(vectors, np.asarray(getattr(features, modality)))
        write_array(present, np.asarray(getattr(features, f"{modality}_present")))
        hashes = {"sha256": hash_file(vectors), "present_sha256": hash_file(present)}
        parts[modality] = {**features.manifest[modality], **hashes}
    if features.whitened:
        shutil.copyfile(features.folder / WHITENING, target / WHITENING)
    write_whole(target / MANIFEST, json.dumps({**features.manifest, **parts}, indent=2) + "\n")
    return target


def _with_images(items: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Copy the images that are there, and return the items with their new places; null for an image that is not."""
    (folder / IMAGES).mkdir()
    places: list[str | None] = []
    for raw_id, image in items.select("raw_id", "image").iter_rows():
        if image is None or not Path(image).is_file():
            places.append(None)
            continue
        # By the item and not by its row: a server may still have the bundle in memory that this one replaces.
        name = hashlib.sha256(raw_id.encode()).hexdigest()[:20]
        places.append(f"{IMAGES}/{name}{Path(image).suffix.lower()}")
        shutil.copyfile(image, folder / str(places[-1]))
    return items.with_columns(image=pl.Series(places, dtype=pl.String))
