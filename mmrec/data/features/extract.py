"""Extraction: the items of a prepared dataset to a feature folder, once per encoder and revision."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmrec.batch import PAD
from mmrec.data.features.encoders.base import (
    MODALITIES,
    PART_ITEMS,
    FeatureEncoder,
    Modality,
    Part,
    class_path,
    hash_file,
)
from mmrec.data.features.encoders.blocks import block_file, encode_to, load_block
from mmrec.data.features.encoders.processes import encode_on_devices
from mmrec.data.features.store import MANIFEST
from mmrec.errors import UserError
from mmrec.utils.lock import locked

log = logging.getLogger(__name__)


def feature_folder(dataset: Path, encoder: FeatureEncoder) -> Path:
    """Return where `extract_features` puts the features; the key stands for class, options and revision."""
    identity = json.dumps([class_path(encoder), encoder.options(), encoder.revision()], sort_keys=True)
    return dataset / "features" / f"{encoder.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def extract_features(dataset: Path, encoder: FeatureEncoder, devices: int = 1) -> Path:
    """Encode the items of a prepared dataset, or find that it has been done.

    Safe against a kill (the folder appears when it is complete, and the next call goes on from the blocks that were
    finished) and against other processes (they wait). Features of other items, from before the dataset was prepared
    anew, are replaced.

    Args:
        dataset: folder with `items.parquet`.
        encoder: what makes the vectors.
        devices: processes that share the work, see `mmrec.data.features.encoders.processes`.

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
    with locked(folder):
        if _items_hash(folder) == items_hash:  # another process has made them meanwhile
            return folder
        partial = folder.with_name(f".{folder.name}-{items_hash[:8]}.partial")
        for other in folder.parent.glob(f".{folder.name}-*.partial"):
            if other != partial:  # a killed run over other items
                shutil.rmtree(other)
        blocks, complete = partial / "blocks", partial / "complete"
        blocks.mkdir(parents=True, exist_ok=True)
        items = pl.read_parquet(table, glob=False).sort("item")
        parts = _encode(blocks, items, encoder, devices)
        shutil.rmtree(complete, ignore_errors=True)  # of a run that was killed after its last block
        complete.mkdir()
        merged = {}
        for modality in MODALITIES:
            files = [block_file(blocks, part) for part in parts if part.modality == modality]
            merged[modality] = _merge(files, complete, modality, len(items))
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
        (complete / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        complete.rename(folder)
        shutil.rmtree(partial)
    return folder


def _encode(blocks: Path, items: pl.DataFrame, encoder: FeatureEncoder, devices: int) -> list[Part]:
    """Write the blocks that are not there yet and return all parts."""
    made = encoder.modalities()
    real = items.filter(pl.col("item") != PAD)
    parts = [
        Part(modality, some) for modality in MODALITIES if modality in made for some in real.iter_slices(PART_ITEMS)
    ]
    todo = [part for part in parts if not block_file(blocks, part).exists()]
    if len(todo) < len(parts):
        log.info("%s: going on with %d of %d blocks", encoder.name, len(todo), len(parts))
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


def _merge(files: Sequence[Path], folder: Path, modality: Modality, n_items: int) -> dict[str, Any]:
    """Write the arrays of a modality from its blocks and return its part of the manifest."""
    dim = next((block.vectors.shape[1] for block in map(load_block, files) if len(block.rows)), 0)
    needed, free = 2 * n_items * dim, shutil.disk_usage(folder).free
    if needed > free:  # running out later would kill the process: the array is a memory map
        raise UserError(f"{folder}: {modality} features need {needed >> 20} MiB, {free >> 20} MiB are free")
    path = folder / f"{modality}.npy"
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n_items, dim))
    present = np.zeros(n_items, dtype=np.bool_)
    rejected: dict[str, dict[str, Any]] = {}
    for block in map(load_block, files):
        if len(block.rows):
            vectors[block.rows] = block.vectors
            present[block.rows] = True
        for bad in block.rejected:
            rejected.setdefault(bad.kind, {"count": 0, "first": bad.where})["count"] += 1
    vectors.flush()
    np.save(folder / f"{modality}_present.npy", present)
    for kind, entry in rejected.items():
        fault = f"{modality}: {entry['count']} x {kind}, first {entry['first']}"
        if not present.any():
            for file in files:  # to try again when the cause, say a disk that was not mounted, is gone
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
    }


def _coverage(folder: Path) -> dict[str, int]:
    """Count the items by the modalities they have."""
    text, image = (np.load(folder / f"{modality}_present.npy")[1:] for modality in MODALITIES)
    groups = {"both": text & image, "text_only": text & ~image, "image_only": image & ~text, "neither": ~text & ~image}
    return {name: int(group.sum()) for name, group in groups.items()}


def _items_hash(folder: Path) -> str | None:
    """Return the hash of the items that the folder's features belong to, None where there are no features."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(manifest["items_sha256"])
