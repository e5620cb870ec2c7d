"""Extraction: the items of a prepared dataset to a feature folder, once per encoder and revision."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmrec.batch import PAD
from mmrec.data.catalog import read_items
from mmrec.data.features.encoders.base import MODALITIES, PART_ITEMS, FeatureEncoder, Modality, Part, class_path
from mmrec.data.features.encoders.blocks import block_file, encode_to, load_block
from mmrec.data.features.encoders.processes import encode_on_devices
from mmrec.data.features.store import MANIFEST, read_manifest
from mmrec.errors import UserError
from mmrec.utils.arrays import write_array, write_rows
from mmrec.utils.files import hash_file, write_whole
from mmrec.utils.lock import locked

log = logging.getLogger(__name__)


def feature_folder(dataset: Path, encoder: FeatureEncoder) -> Path:
    """Return the folder that `extract_features` creates; its key identifies class, options and revision."""
    identity = json.dumps([class_path(encoder), encoder.options(), encoder.revision()], sort_keys=True)
    return dataset / "features" / f"{encoder.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def extract_features(dataset: Path, encoder: FeatureEncoder, devices: int = 1) -> Path:
    """Encode the items of a prepared dataset, unless that has been done.

    The folder appears when it is complete; after a kill, the next call continues from the finished blocks. Other
    processes wait. If the dataset was prepared again with other items, their features replace the former ones.

    Args:
        dataset: folder with `items.parquet`.
        encoder: makes the vectors.
        devices: number of processes that encode, see `mmrec.data.features.encoders.processes`.

    Returns:
        The feature folder, for `Features`.

    Raises:
        UserError: no prepared dataset; not enough disk space; every text or image was rejected; vectors that are not
            finite as float16; a damaged feature folder; or any error of the encoder.
    """
    table = dataset / "items.parquet"
    if not table.is_file():
        raise UserError(f"{table} does not exist; prepare the dataset first")
    folder = feature_folder(dataset, encoder)
    items_hash = hash_file(table)
    if _items_hash(folder) == items_hash:  # without the lock: a finished dataset may be read-only
        return folder
    with locked(folder):
        if _items_hash(folder) == items_hash:  # another process has made them meanwhile
            return folder
        partial = folder.with_name(f".{folder.name}-{items_hash[:8]}.partial")
        for other in folder.parent.glob(f".{folder.name}-*.partial"):
            if other != partial:  # left by a killed run over other items
                shutil.rmtree(other)
        blocks, complete = partial / "blocks", partial / "complete"
        blocks.mkdir(parents=True, exist_ok=True)
        items = read_items(dataset)
        parts = _encode(blocks, items, encoder, devices)
        shutil.rmtree(complete, ignore_errors=True)  # left by a run that was killed after its last block
        complete.mkdir()
        merged = {}
        for modality in MODALITIES:
            own = [part for part in parts if part.modality == modality]
            merged[modality] = _merge(blocks, own, complete, modality, len(items))
        manifest = {
            "encoder": class_path(encoder),
            "name": encoder.name,
            "options": encoder.options(),
            "revision": encoder.revision(),
            "n_items": len(items),
            "items_sha256": items_hash,
            "text": merged["text"],
            "image": merged["image"],
            "coverage": _coverage(complete),
        }
        write_whole(complete / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        complete.rename(folder)
        shutil.rmtree(partial)
    return folder


def _encode(blocks: Path, items: pl.DataFrame, encoder: FeatureEncoder, devices: int) -> list[Part]:
    """Write the blocks that are missing and return all parts."""
    made = encoder.modalities()
    real = items.filter(pl.col("item") != PAD)
    parts = [
        Part(modality, some) for modality in MODALITIES if modality in made for some in real.iter_slices(PART_ITEMS)
    ]
    todo = [part for part in parts if not block_file(blocks, part).exists()]
    if len(todo) < len(parts):
        log.info("%s: continuing, %d of %d blocks are missing", encoder.name, len(todo), len(parts))
    if devices > 1 and len(todo) > 1:
        encode_on_devices(blocks, encoder, todo, min(devices, len(todo)))
        return parts
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        tasks = {}
        for modality in made:
            left = sum(len(part.items) for part in todo if part.modality == modality)
            tasks[modality] = progress.add_task(f"{modality} features", total=len(real), completed=len(real) - left)
        for part in encode_to(blocks, encoder, todo):
            progress.update(tasks[part.modality], advance=len(part.items))
    return parts


def _merge(blocks: Path, parts: Sequence[Part], folder: Path, modality: Modality, n_items: int) -> dict[str, Any]:
    """Write the arrays of a modality from its blocks and return its part of the manifest."""
    files = [block_file(blocks, part) for part in parts]
    dim, present = 0, np.zeros(n_items, dtype=np.bool_)
    rejected: dict[str, dict[str, Any]] = {}
    for block in map(load_block, files):
        if len(block.rows):
            dim = block.vectors.shape[1]
            present[block.rows] = True
        for bad in block.rejected:
            rejected.setdefault(bad.kind, {"count": 0, "first": bad.where})["count"] += 1
    path, mask = folder / f"{modality}.npy", folder / f"{modality}_present.npy"
    write_rows(path, np.float16, (n_items, dim), _rows(files, parts, dim, n_items))
    write_array(mask, present)
    for kind, entry in rejected.items():
        fault = f"{modality}: {entry['count']} x {kind}, first {entry['first']}"
        if not present.any():
            for file in files:  # to try again when the cause, for example a disk that was not mounted, is gone
                file.unlink()
            raise UserError(f"no {modality} features at all: {fault}")
        log.warning("%s; counted as missing", fault)
    if files:
        log.info("%s features of %d of %d items", modality, present.sum(), n_items - 1)
    return {
        "dim": dim,
        "present": int(present.sum()),
        "missing": n_items - 1 - int(present.sum()),
        "rejected": rejected,
        "sha256": hash_file(path),
        "present_sha256": hash_file(mask),
    }


def _rows(files: Sequence[Path], parts: Sequence[Part], dim: int, n_items: int) -> Iterator[NDArray[np.float16]]:
    """Yield the rows of all items: padding, then part after part, zero where an item is missing."""
    yield np.zeros((1 if files else n_items, dim), np.float16)
    for file, part in zip(files, parts, strict=True):
        block, first = load_block(file), int(part.items["item"][0])
        piece = np.zeros((len(part.items), dim), np.float16)
        if len(block.rows):
            piece[block.rows - first] = block.vectors
        yield piece


def _coverage(folder: Path) -> dict[str, int]:
    """Count the items by the modalities that they have."""
    text, image = (np.load(folder / f"{modality}_present.npy")[1:] for modality in MODALITIES)
    groups = {"both": text & image, "text_only": text & ~image, "image_only": image & ~text, "neither": ~text & ~image}
    return {name: int(group.sum()) for name, group in groups.items()}


def _items_hash(folder: Path) -> str | None:
    """Return the hash of the items whose features a folder holds; None if the folder is missing or incomplete."""
    return str(read_manifest(folder)["items_sha256"]) if (folder / MANIFEST).is_file() else None
