"""Features on disk: made once per encoder and revision, read by memory map.

A folder `features/<encoder>-<key>/` of a prepared dataset, with I items of which row 0 is padding, holds

| file | content |
|---|---|
| `text.npy`, `image.npy` | float16 (I, T) and (I, M); row 0 and the rows of missing items are zero |
| `text_present.npy`, `image_present.npy` | bool (I,) |
| `features.json` | encoder, options, revision, counts of present, missing and rejected items, sha256 of the arrays |
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from filelock import FileLock
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmrec.data.encoders.base import MODALITIES, Block, FeatureEncoder, Modality, hash_file
from mmrec.data.schema import PAD
from mmrec.errors import UserError

log = logging.getLogger(__name__)
MANIFEST = "features.json"


def feature_folder(dataset: Path, encoder: FeatureEncoder) -> Path:
    """Return where `extract_features` puts the features; the key stands for class, options and revision."""
    identity = json.dumps([_class_path(encoder), encoder.options(), encoder.revision()], sort_keys=True)
    return dataset / "features" / f"{encoder.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def extract_features(dataset: Path, encoder: FeatureEncoder) -> Path:
    """Encode the items of a prepared dataset, or find that it has been done.

    Safe against a kill (the folder appears when it is complete) and against other processes (they wait). Features of
    other items, from before the dataset was prepared anew, are replaced.

    Args:
        dataset: folder with `items.parquet`.
        encoder: what makes the vectors.

    Returns:
        The feature folder, for `Features`.

    Raises:
        UserError: no prepared dataset; not enough disk space; every text or image was rejected; vectors that are not
            finite as float16; whatever the encoder raises.
    """
    table = dataset / "items.parquet"
    if not table.is_file():
        raise UserError(f"{table} does not exist; prepare the dataset first")
    folder = feature_folder(dataset, encoder)
    items_hash = hash_file(table)
    if _items_hash(folder) == items_hash:  # without the lock: a finished dataset may be read-only
        return folder
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if _items_hash(folder) == items_hash:  # another process has made them meanwhile
            return folder
        partial = folder.with_name(f".{folder.name}.partial")
        if partial.exists():
            shutil.rmtree(partial)  # what a killed run has left
        partial.mkdir()
        items = pl.read_parquet(table).sort("item")
        manifest = {
            "encoder": _class_path(encoder),
            "name": encoder.name,
            "options": encoder.options(),
            "revision": encoder.revision(),
            "n_items": len(items),
            "items_sha256": items_hash,
            **_encode(partial, items, encoder),
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    return folder


class Features:
    """An extracted feature folder, opened by memory map.

    Attributes:
        text: (I, T) float16, T = 0 where the encoder makes no text vectors.
        image: (I, M) float16, M = 0 where the encoder makes no image vectors.
        text_present: (I,) bool, false for padding and for items without a text vector.
        image_present: (I,) bool, likewise.
        encoder: name of the encoder.
        revision: what identifies its weights, preprocessing and code.
        manifest: all of `features.json`.

    Raises:
        UserError: the folder is none that `extract_features` has made, or its files do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            self.text: NDArray[np.float16] = np.load(folder / "text.npy", mmap_mode="r")
            self.image: NDArray[np.float16] = np.load(folder / "image.npy", mmap_mode="r")
            self.text_present: NDArray[np.bool_] = np.load(folder / "text_present.npy")
            self.image_present: NDArray[np.bool_] = np.load(folder / "image_present.npy")
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder}: not a complete feature folder ({error}); remove it and extract again"
            ) from error
        for modality, array in zip(MODALITIES, (self.text, self.image), strict=True):
            expected = (self.manifest["n_items"], self.manifest[modality]["dim"])
            if array.shape != expected:
                raise UserError(f"{folder}/{modality}.npy: shape {array.shape}, not {expected}; remove the folder")
        self.encoder: str = self.manifest["name"]
        self.revision: str = self.manifest["revision"]

    @property
    def text_dim(self) -> int:
        """T, the width of a text vector."""
        return int(self.text.shape[1])

    @property
    def image_dim(self) -> int:
        """M, the width of an image vector."""
        return int(self.image.shape[1])


class _Table:
    """The array of one modality while it is being written."""

    def __init__(self, folder: Path, modality: Modality, n_items: int, dim: int) -> None:
        needed, free = 2 * n_items * dim, shutil.disk_usage(folder).free
        if needed > free:  # running out later would kill the process: the array is a memory map
            raise UserError(f"{folder}: {modality} features need {needed >> 20} MiB, {free >> 20} MiB are free")
        self.folder, self.modality, self.dim = folder, modality, dim
        self.path = folder / f"{modality}.npy"
        self.vectors = np.lib.format.open_memmap(self.path, mode="w+", dtype=np.float16, shape=(n_items, dim))
        self.present = np.zeros(n_items, dtype=np.bool_)
        self.rejected: dict[str, dict[str, Any]] = {}

    def add(self, block: Block, encoder: str) -> None:
        with np.errstate(over="ignore"):
            half = np.asarray(block.vectors, dtype=np.float16)
        finite = np.isfinite(half).all(axis=1)
        if not finite.all():
            raise UserError(
                f"{encoder}: the {self.modality} vector of item {block.rows[~finite][0]} is not finite as float16 "
                "(at most 65,504): scale the input or compute with precision fp32"
            )
        self.vectors[block.rows] = half
        self.present[block.rows] = True
        for rejected in block.rejected:
            self.rejected.setdefault(rejected.kind, {"count": 0, "first": rejected.where})["count"] += 1

    def close(self) -> dict[str, Any]:
        """Write what is left and return the modality's part of the manifest."""
        self.vectors.flush()
        np.save(self.folder / f"{self.modality}_present.npy", self.present)
        present, rejected = int(self.present.sum()), sum(entry["count"] for entry in self.rejected.values())
        for kind, entry in self.rejected.items():
            fault = f"{self.modality}: {entry['count']} x {kind}, first {entry['first']}"
            if not present:
                raise UserError(f"no {self.modality} features at all: {fault}")
            log.warning("%s; counted as missing", fault)
        log.info("%s features of %d of %d items", self.modality, present, len(self.present) - 1)
        return {
            "dim": self.dim,
            "present": present,
            "missing": len(self.present) - 1 - present - rejected,
            "rejected": self.rejected,
            "sha256": hash_file(self.path),
        }


def _encode(folder: Path, items: pl.DataFrame, encoder: FeatureEncoder) -> dict[str, dict[str, Any]]:
    """Write all arrays and return the manifest's part of each modality."""
    dims = dict(zip(MODALITIES, encoder.dims(), strict=True))
    tables = {modality: _Table(folder, modality, len(items), dim) for modality, dim in dims.items()}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        tasks = {
            modality: progress.add_task(f"{modality} features", total=len(items) - 1, visible=False)
            for modality in MODALITIES
        }
        for block in encoder.encode(items.filter(pl.col("item") != PAD)):
            tables[block.modality].add(block, encoder.name)
            done = len(block.rows) + len(block.rejected)
            progress.update(tasks[block.modality], advance=done, visible=True)
    return {modality: table.close() for modality, table in tables.items()}


def _items_hash(folder: Path) -> str | None:
    """Return the hash of the items that the folder's features belong to, None where there are no features."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(manifest["items_sha256"])


def _class_path(encoder: FeatureEncoder) -> str:
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"
