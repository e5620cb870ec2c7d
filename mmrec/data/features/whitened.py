"""PCA-whitened feature folders, fitted on the items of the training interactions alone.

For each modality the mean and the principal axes of the fitting items' vectors are found, and every present item
becomes its first k coordinates along the axes, divided by their standard deviations over the fitting items. So k
uncorrelated features of equal variance replace directions of which a few hold most of the variance.

A folder `features/<encoder>-<key>-white<k>-<key>/` has the files of any other feature folder, and `whitening.npz` with
the fitted transforms. Its `features.json` states under `whitening` for each modality the number of components, the
share of variance that they explain and the number of fitting items.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import MODALITIES, Modality
from mmrec.data.features.store import MANIFEST, WHITENING, Features
from mmrec.data.features.transforms import CHUNK, Halves, Whitening, fit_whitening, save_whitenings
from mmrec.errors import UserError
from mmrec.utils.arrays import write_array, write_rows
from mmrec.utils.files import hash_file, write_whole
from mmrec.utils.lock import locked, partial_folder, remove_abandoned

log = logging.getLogger(__name__)

VERSION = 3  # raised when a number or a file of the result changes


def whiten_features(folder: Path, fitting: NDArray[np.bool_], components: int) -> Path:
    """Whiten extracted features, unless that has been done.

    The folder's name identifies the features, the fitting items and the number of components. The folder appears when
    it is complete, and other processes wait for it.

    Args:
        folder: a feature folder.
        fitting: (I,) bool, the items that the transform may be fitted on: those with a training interaction.
        components: k; for each modality at most half the number of its fitting items, see `fit_whitening`.

    Returns:
        The whitened feature folder, for `Features`.

    Raises:
        UserError: no feature folder, or the fitting items that have a modality do not differ in it.
    """
    features = Features(folder)
    masks = hashlib.sha256(np.stack([fitting, features.text_present, features.image_present]).tobytes())
    arrays = [features.manifest[modality]["sha256"] for modality in MODALITIES]
    identity = json.dumps([VERSION, components, arrays, masks.hexdigest()])
    key = hashlib.sha256(identity.encode()).hexdigest()[:8]
    target = folder.with_name(f"{folder.name}-white{components}-{key}")
    if (target / MANIFEST).is_file():  # without the lock: a finished dataset may be read-only
        return target
    with locked(target):
        if (target / MANIFEST).is_file():  # another process has made it meanwhile
            return target
        remove_abandoned(target.parent, f"{folder.name}-white")
        partial = partial_folder(target)
        shutil.rmtree(partial, ignore_errors=True)  # left by a killed run
        partial.mkdir()
        try:
            manifest = _build(partial, features, fitting, components)
            write_whole(partial / MANIFEST, json.dumps(manifest, indent=2) + "\n")
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _build(folder: Path, features: Features, fitting: NDArray[np.bool_], components: int) -> dict[str, Any]:
    """Write the files of both modalities and return the manifest."""
    parts: dict[str, Any] = {}
    fitted: dict[Modality, Whitening] = {}
    for modality in MODALITIES:
        vectors: Halves = getattr(features, modality)
        present: NDArray[np.bool_] = getattr(features, f"{modality}_present")
        path, mask = folder / f"{modality}.npy", folder / f"{modality}_present.npy"
        write_array(mask, present)
        if vectors.shape[1]:
            fitted[modality] = whitening = _fit(modality, vectors, present & fitting, components)
            dim = whitening.matrix.shape[1]
            write_rows(path, np.float16, (len(vectors), dim), _whitened_rows(whitening, vectors, present))
        else:
            dim = 0
            write_array(path, vectors)
        hashes = {"sha256": hash_file(path), "present_sha256": hash_file(mask)}
        parts[modality] = {**features.manifest[modality], "dim": dim, **hashes}
    save_whitenings(folder / WHITENING, fitted)
    described = {
        modality: {"components": one.matrix.shape[1], "explained": round(one.explained, 6), "items": one.items}
        for modality, one in fitted.items()
    }
    revision = f"{features.revision}; PCA-whitened to {components}"
    whitened = {"revision": revision, "encoder_revision": features.revision, "whitening": described}
    return {**features.manifest, **parts, **whitened}


def _fit(modality: Modality, vectors: Halves, fitting: NDArray[np.bool_], components: int) -> Whitening:
    """Fit the whitening of one modality, and warn if fewer components are kept than wanted."""
    try:
        whitening = fit_whitening(vectors, np.flatnonzero(fitting), components)
    except UserError as error:
        raise UserError(
            f"cannot whiten the {modality} features ({error} of items with training interactions); set whiten to null"
        ) from None
    kept = whitening.matrix.shape[1]
    if kept < components:
        log.warning(
            "whiten is %d, but of the %s vectors of %d training items %d components are kept: half the number of items "
            "at most, and no more than they span",
            components, modality, whitening.items, kept,
        )  # fmt: skip
    return whitening


def _whitened_rows(whitening: Whitening, vectors: Halves, present: NDArray[np.bool_]) -> Iterator[Halves]:
    """Yield the rows of all items in order, some at a time; zero where an item is missing."""
    rows, dim, written = np.flatnonzero(present), whitening.matrix.shape[1], 0
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        yield from _zeros(some[0] - written, dim)
        piece = np.zeros((some[-1] + 1 - some[0], dim), np.float16)
        piece[some - some[0]] = whitening.apply_half(vectors[some])
        yield piece
        written = some[-1] + 1
    yield from _zeros(len(vectors) - written, dim)


def _zeros(count: int, dim: int) -> Iterator[Halves]:
    for start in range(0, count, CHUNK):
        yield np.zeros((min(CHUNK, count - start), dim), np.float16)
