"""Fitted transforms between an encoder's vectors and the rows that a model reads, saved with a run.

They are fitted once, on the items of one catalogue, and then apply to any vector: an item that comes later is placed
among the others without moving them. A run keeps them as `transforms.npz`.

| transform | result |
|---|---|
| `Whitening` | coordinates along the leading principal axes, divided by their standard deviations |
| `Centring` | difference from the mean vector, scaled to length 1 |
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mmrec.data.features.encoders.base import MODALITIES, Modality
from mmrec.data.features.store import WHITENING, Features
from mmrec.errors import UserError
from mmrec.utils.arrays import read_archive, write_archive

log = logging.getLogger(__name__)

Doubles = NDArray[np.float64]
Halves = NDArray[np.float16]

CHUNK = 4096  # rows in fp64 at a time
RANK_TOLERANCE = float(np.finfo(np.float16).eps) ** 2
"""Variance, relative to the largest, below which a direction of float16 vectors is rounding and not signal."""
FILE = "transforms.npz"
"""Name of the file in the folder of a run."""
LARGEST_HALF = float(np.finfo(np.float16).max)
REMEDY = "remove the folder of this file and run again"


@dataclass(frozen=True)
class Whitening:
    """A transform from width T to k uncorrelated features of variance 1.

    Args:
        mean: (T,), the mean of the fitting items.
        matrix: (T, k), the principal axes divided by their standard deviations.
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

    def equals(self, other: Whitening) -> bool:
        """Return whether two whitenings give the same numbers."""
        return np.array_equal(self.mean, other.mean) and np.array_equal(self.matrix, other.matrix)

    def apply_half(self, vectors: NDArray[Any]) -> Halves:
        """Transform vectors (n, T) to (n, k) as they are stored, in float16."""
        return np.clip(self.apply(vectors), -LARGEST_HALF, LARGEST_HALF).astype(np.float16)


def fit_whitening(vectors: NDArray[Any], rows: NDArray[np.int64], components: int) -> Whitening:
    """Find the whitening of some rows.

    The signs of the axes, which a decomposition leaves open, are such that the largest entry of each is positive.

    Args:
        vectors: (I, T), of any float type; read in chunks.
        rows: (n,) row indices to fit on.
        components: k; at most n / 2, and fewer where the rows span fewer directions. With as many as rows, all whitened
            rows would be orthogonal to each other, whatever they were before.

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
        raise UserError(f"the {len(rows)} vectors have no variance")
    kept = min(components, rank, max(1, len(rows) // 2))
    axes = axes[:, :kept]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(kept)]
    matrix = axes * np.sign(largest) / np.sqrt(variances[:kept])
    explained = float(variances[:kept].sum() / variances[variances > 0].sum())
    return Whitening(mean, matrix, explained, len(rows))


def _chunks(vectors: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[Doubles]:
    for start in range(0, len(rows), CHUNK):
        yield vectors[rows[start : start + CHUNK]].astype(np.float64)


@dataclass(frozen=True)
class Centring:
    """The difference from a mean vector, scaled to length 1.

    Pretrained encoders put all vectors into a narrow cone, in which the part that all of them share distinguishes none.

    Args:
        mean: (T,) float32, the mean of the fitting items.
    """

    mean: Tensor

    def apply(self, vectors: Tensor) -> Tensor:
        """Transform vectors (n, T) of any float type to (n, T) float32; a zero difference stays zero."""
        return F.normalize(vectors.float() - self.mean.to(vectors.device), dim=1)


def fit_centring(vectors: NDArray[Any], rows: NDArray[np.bool_]) -> Centring:
    """Return the centring by the mean of some rows; by zero if there are fewer than two.

    Args:
        vectors: (I, T), of any float type.
        rows: (I,) bool, the rows to fit on.
    """
    if rows.sum() < 2:  # one item alone has no mean to differ from
        return Centring(torch.zeros(vectors.shape[1]))
    return Centring(torch.tensor(vectors).float()[torch.tensor(rows)].mean(dim=0))


@dataclass(frozen=True)
class Transform:
    """The way from an encoder's vectors of one modality to a model's rows.

    Args:
        centring: the last step.
        whitening: the first step; None where the features are not whitened.
    """

    centring: Centring
    whitening: Whitening | None = None

    @property
    def width(self) -> int:
        """Width of an encoder's vector, T."""
        return len(self.centring.mean) if self.whitening is None else len(self.whitening.mean)

    def stored(self, vectors: NDArray[Any]) -> Halves:
        """Transform an encoder's vectors (n, T) to what a feature folder holds, (n, T) or (n, k), before centring."""
        halves: Halves = vectors.astype(np.float16)  # as extraction writes them
        return halves if self.whitening is None else self.whitening.apply_half(halves)


@dataclass(frozen=True)
class FeatureTransforms:
    """The transforms of all modalities, and the encoder whose vectors they apply to.

    Args:
        encoder: name of the encoder.
        revision: identifies the encoder's weights, preprocessing and code.
        modalities: the transform of each modality that has features.
    """

    encoder: str
    revision: str
    modalities: Mapping[Modality, Transform] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Write an `.npz` file that `load` reads; it holds arrays and strings alone, no pickle."""
        arrays: dict[str, NDArray[Any]] = {"encoder": np.array(self.encoder), "revision": np.array(self.revision)}
        for modality, transform in self.modalities.items():
            arrays[f"{modality}.centring"] = transform.centring.mean.cpu().numpy()
            if transform.whitening is not None:
                arrays.update(_arrays_of(modality, transform.whitening))
        write_archive(file, arrays)

    @classmethod
    def load(cls, file: Path) -> FeatureTransforms:
        """Read what `save` has written.

        Raises:
            UserError: the file is missing or damaged.
        """
        arrays = read_archive(file, REMEDY)
        try:
            transforms = {
                modality: Transform(Centring(torch.from_numpy(arrays[name])), _whitening(modality, arrays))
                for modality in MODALITIES
                if (name := f"{modality}.centring") in arrays
            }
            return cls(str(arrays["encoder"]), str(arrays["revision"]), transforms)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{file}: does not hold the transforms of features ({error}); {REMEDY}") from None


def save_whitenings(file: Path, whitenings: Mapping[Modality, Whitening]) -> None:
    """Write an `.npz` file that `load_whitenings` reads."""
    write_archive(file, {k: v for modality, one in whitenings.items() for k, v in _arrays_of(modality, one).items()})


def load_whitenings(file: Path) -> dict[Modality, Whitening]:
    """Read what `save_whitenings` has written.

    Raises:
        UserError: the file is missing or damaged.
    """
    arrays = read_archive(file, REMEDY)
    try:
        found = {modality: _whitening(modality, arrays) for modality in MODALITIES}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file}: does not hold a whitening ({error}); {REMEDY}") from None
    return {modality: whitening for modality, whitening in found.items() if whitening is not None}


def _arrays_of(modality: Modality, whitening: Whitening) -> dict[str, NDArray[Any]]:
    return {f"{modality}.whitening.{one.name}": np.asarray(getattr(whitening, one.name)) for one in fields(Whitening)}


def _whitening(modality: Modality, arrays: Mapping[str, NDArray[Any]]) -> Whitening | None:
    """Return the whitening of a modality from an archive's arrays; None if it is not among them."""
    if f"{modality}.whitening.matrix" not in arrays:
        return None
    mean, matrix, explained, items = (arrays[f"{modality}.whitening.{one.name}"] for one in fields(Whitening))
    if matrix.ndim != 2 or mean.shape != matrix.shape[:1]:
        raise ValueError(f"a mean of shape {mean.shape} and a matrix of shape {matrix.shape}")
    return Whitening(mean, matrix, float(explained), int(items))


def fit_transforms(features: Features, fitting: NDArray[np.bool_] | None = None) -> FeatureTransforms:
    """Fit the transforms of all modalities that have features.

    The whitening, if the features are whitened, is the one that they were made by.

    Args:
        features: the features of the items.
        fitting: (I,) bool, items that the centring is fitted on, those with the modality; None for all.
    """
    whitenings = load_whitenings(features.folder / WHITENING) if features.whitened else {}
    found: dict[Modality, Transform] = {}
    for modality in MODALITIES:
        vectors, present = getattr(features, modality), getattr(features, f"{modality}_present")
        if vectors.shape[1]:
            rows = present if fitting is None else present & fitting
            found[modality] = Transform(fit_centring(vectors, rows), whitenings.get(modality))
    return FeatureTransforms(features.encoder, features.encoder_revision, found)


def transforms_of(features: Features) -> FeatureTransforms:
    """Return the transforms by which a model reads features: those they carry, else fitted on them."""
    return features.transforms or fit_transforms(features)


def read_by(transforms: FeatureTransforms, features: Features, raw: Features) -> Features:
    """Return features that a model reads by the transforms of an earlier run.

    Whitened features are kept where the run's whitening has made them. On a catalogue that has changed since, another
    one was fitted, and the features are whitened anew by that of the run.

    Args:
        transforms: the transforms of the run.
        features: the features, whitened if the data are.
        raw: the same before whitening.

    Raises:
        UserError: the features are by another encoder, or of another width.
    """
    if features.encoder != transforms.encoder:
        raise UserError(
            f"the model was trained on features of {transforms.encoder}, but the data has those of {features.encoder}: "
            "choose the encoder it was trained with, or train anew"
        )
    if features.encoder_revision != transforms.revision:
        log.warning(
            "%s: the model was trained on features of revision %s, the data has %s",
            features.encoder, transforms.revision, features.encoder_revision,
        )  # fmt: skip
    own = load_whitenings(features.folder / WHITENING) if features.whitened else {}
    read = copy(features)
    read.transforms = transforms
    for modality in MODALITIES:
        transform, vectors = transforms.modalities.get(modality), getattr(features, modality)
        if not vectors.shape[1]:
            continue
        if transform is None or (transform.whitening is None) != (modality not in own):
            raise UserError(f"the model was trained without these {modality} features: train anew")
        whitening = transform.whitening
        if whitening is not None and not whitening.equals(own[modality]):
            setattr(read, modality, _whitened(whitening, getattr(raw, modality), getattr(raw, f"{modality}_present")))
        width, trained = getattr(read, modality).shape[1], len(transform.centring.mean)
        if width != trained:
            raise UserError(f"the model was trained on {modality} features of width {trained}, the data has {width}")
    return read


def _whitened(whitening: Whitening, vectors: NDArray[Any], present: NDArray[np.bool_]) -> Halves:
    if vectors.shape[1] != len(whitening.mean):
        words = f"was fitted on vectors of width {len(whitening.mean)}, the data has {vectors.shape[1]}"
        raise UserError(f"the model's whitening {words}: choose the encoder it was trained with")
    made = np.zeros((len(vectors), whitening.matrix.shape[1]), np.float16)
    rows = np.flatnonzero(present)
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        made[some] = whitening.apply_half(vectors[some])
    return made
