"""PCA-whitening of features, fitted on the items of the training interactions alone.

For each modality the mean and the principal axes of the fitting items' vectors are found, and every present item
becomes its first k coordinates along the axes, divided by their standard deviation over the fitting items. So k
features that vary alike and are not correlated replace directions of which a few hold most of the variance.

A folder `features/<encoder>-<key>-white<k>-<key>/` has the files of any other feature folder. Its `features.json` says
in `whitening` for each modality the components, the share of variance they explain and the number of fitting items.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import MODALITIES, Modality, hash_file
from mmrec.data.features.store import MANIFEST, Features
from mmrec.errors import UserError
from mmrec.utils.lock import locked

log = logging.getLogger(__name__)

VERSION = 1  # raised when a number of the result changes
CHUNK = 4096  # rows in fp64 at a time
RANK_TOLERANCE = float(np.finfo(np.float16).eps) ** 2
"""Variance, as a share of the largest, below which a direction of float16 vectors is rounding and no signal."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """A fitted transform from width T to k.

    Args:
        mean: (T,) of the fitting items.
        matrix: (T, k), principal axes over their standard deviations.
        explained: share of the fitting items' variance along the k axes.
        items: number of fitting items.
    """

    mean: Doubles
    matrix: Doubles
    explained: float
    items: int

    def apply(self, vectors: NDArray[Any]) -> Doubles:
        """Transform vectors (n, T) to (n, k)."""
        whitened: Doubles = (vectors.astype(np.float64) - self.mean) @ self.matrix
        return whitened


def whiten_features(folder: Path, fitting: NDArray[np.bool_], components: int) -> Path:
    """Whiten extracted features, or find that it has been done.

    The folder's name stands for the features, the fitting items and the number of components; it appears when it is
    complete, and other processes wait for it.

    Args:
        folder: a feature folder.
        fitting: (I,) bool, the items that the transform may be fitted on: those with a training interaction.
        components: k, cut for each modality to what its fitting items allow.

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
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # what a killed run has left
        partial.mkdir()
        try:
            manifest = _build(partial, features, fitting, components)
            (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def fit_whitening(vectors: NDArray[Any], rows: NDArray[np.int64], components: int) -> Whitening:
    """Find the whitening of some rows.

    The axes' signs, which a decomposition leaves open, are such that the largest entry of each is positive.

    Args:
        vectors: (I, T), of any float type; read in chunks.
        rows: (n,) row indices to fit on.
        components: k; fewer where the rows span fewer directions.

    Raises:
        UserError: the rows do not differ.
    """
    width = vectors.shape[1]
    mean = np.zeros(width)
    for chunk in _chunks(vectors, rows):
        mean += chunk.sum(axis=0) / len(rows)
    covariance = np.zeros((width, width))
    for chunk in _chunks(vectors, rows):
        centred = chunk - mean
        covariance += centred.T @ centred / len(rows)
    variances, axes = np.linalg.eigh(covariance)
    variances, axes = variances[::-1], axes[:, ::-1]
    rank = int((variances > RANK_TOLERANCE * variances[0]).sum()) if len(rows) > 1 and variances[0] > 0 else 0
    if not rank:
        raise UserError(f"there is no variance in {len(rows)} vectors")
    kept = min(components, rank)
    axes = axes[:, :kept]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(kept)]
    matrix = axes * np.sign(largest) / np.sqrt(variances[:kept])
    explained = float(variances[:kept].sum() / variances[variances > 0].sum())
    return Whitening(mean, matrix, explained, len(rows))


def _build(folder: Path, features: Features, fitting: NDArray[np.bool_], components: int) -> dict[str, Any]:
    """Write arrays and masks of both modalities and return the manifest."""
    parts: dict[str, Any] = {}
    fitted: dict[str, Any] = {}
    for modality in MODALITIES:
        whitening = _write(folder, modality, features, fitting, components)
        kept = 0 if whitening is None else whitening.matrix.shape[1]
        parts[modality] = {**features.manifest[modality], "dim": kept, "sha256": hash_file(folder / f"{modality}.npy")}
        if whitening is not None:
            explained = round(whitening.explained, 6)
            fitted[modality] = {"components": kept, "explained": explained, "items": whitening.items}
    revision = f"{features.revision}; PCA-whitened to {components}"
    return {**features.manifest, **parts, "revision": revision, "whitening": fitted}


def _write(
    folder: Path, modality: Modality, features: Features, fitting: NDArray[np.bool_], components: int
) -> Whitening | None:
    """Write array and mask of one modality; None where there are no such features."""
    vectors: NDArray[np.float16] = getattr(features, modality)
    present: NDArray[np.bool_] = getattr(features, f"{modality}_present")
    np.save(folder / f"{modality}_present.npy", present)
    if not vectors.shape[1]:
        np.save(folder / f"{modality}.npy", vectors)
        return None
    try:
        whitening = fit_whitening(vectors, np.flatnonzero(present & fitting), components)
    except UserError as error:
        raise UserError(
            f"data.whiten: cannot whiten the {modality} features ({error} of items with training interactions); "
            "set data.whiten to null"
        ) from None
    kept = whitening.matrix.shape[1]
    if kept < components:
        log.warning(
            "data.whiten is %d, but the %s vectors of the %d training items span %d directions: %d are kept",
            components, modality, whitening.items, kept, kept,
        )  # fmt: skip
    shape = (len(vectors), kept)
    whitened = np.lib.format.open_memmap(folder / f"{modality}.npy", mode="w+", dtype=np.float16, shape=shape)
    limit = float(np.finfo(np.float16).max)
    rows = np.flatnonzero(present)
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        whitened[some] = np.clip(whitening.apply(vectors[some]), -limit, limit)
    whitened.flush()
    return whitening


def _chunks(vectors: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[Doubles]:
    for start in range(0, len(rows), CHUNK):
        yield vectors[rows[start : start + CHUNK]].astype(np.float64)
