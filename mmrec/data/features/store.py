"""Feature folders: made once per encoder and revision, read by memory map.

A folder `features/<encoder>-<key>/` of a prepared dataset, with I items of which row 0 is padding, holds

| file | content |
|---|---|
| `text.npy`, `image.npy` | float16 (I, T) and (I, M); row 0 and the rows of missing items are zero |
| `text_present.npy`, `image_present.npy` | bool (I,) |
| `features.json` | encoder, options, revision, items present and missing, rejected items, sha256 of the arrays |
| `whitening.npz` | the fitted whitening of each modality, in a folder of whitened features |

During an extraction the finished blocks are in `features/.<encoder>-<key>-<items>.partial/`, from which a killed
extraction continues.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import MODALITIES, Modality
from mmrec.utils.arrays import read_array
from mmrec.utils.checksums import check_content
from mmrec.utils.files import hash_file
from mmrec.utils.json_files import Shape, read_json

if TYPE_CHECKING:
    from mmrec.data.features.transforms import FeatureTransforms

MANIFEST = "features.json"
PART: Shape = {"dim": int, "sha256": str, "present_sha256": (str, None)}
SHAPE: Shape = {
    "name": str,
    "revision": str,
    "encoder_revision": (str, None),
    "n_items": int,
    "items_sha256": str,
    "text": PART,
    "image": PART,
}
"""What of the manifest is read back."""
WHITENING = "whitening.npz"


class Features:
    """An extracted feature folder, opened by memory map.

    The content of the arrays is compared with the manifest's hashes, see `mmrec.utils.checksums`.

    Args:
        folder: a folder that `extract_features` or `whiten_features` has made.

    Attributes:
        text: (I, T) float16, T = 0 where the encoder makes no text vectors or no item has a text.
        image: (I, M) float16, M = 0 likewise.
        text_present: (I,) bool, false for padding and for items without a text vector.
        image_present: (I,) bool, likewise.
        encoder: name of the encoder.
        revision: identifies the encoder's weights, preprocessing and code, and the whitening.
        encoder_revision: the encoder's part of it.
        manifest: the whole content of `features.json`.
        transforms: the transforms of a trained model, by which its rows are made; None where they are fitted on these
            features.

    Raises:
        UserError: the folder is incomplete, or a file is damaged or was changed.
    """

    text: NDArray[np.float16]
    image: NDArray[np.float16]
    text_present: NDArray[np.bool_]
    image_present: NDArray[np.bool_]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transforms: FeatureTransforms | None = None
        self.manifest = read_manifest(folder)
        self.encoder: str = self.manifest["name"]
        self.revision: str = self.manifest["revision"]
        self.encoder_revision: str = self.manifest.get("encoder_revision", self.revision)
        items, remedy = self.manifest["n_items"], _remedy(folder)
        for modality in MODALITIES:
            part = self.manifest[modality]
            for name, dtype, shape, key in (
                (modality, np.float16, (items, part["dim"]), "sha256"),
                (f"{modality}_present", np.bool_, (items,), "present_sha256"),
            ):
                file = folder / f"{name}.npy"
                array = read_array(file, dtype, shape, remedy)
                if key in part:
                    check_content(folder, file.name, part[key], [file.name], partial(hash_file, file), remedy)
                setattr(self, name, array)

    def with_vectors(self, text: NDArray[np.float16], image: NDArray[np.float16]) -> Features:
        """Return a copy with other vectors, (I, T) and (I, M)."""
        changed = copy(self)
        changed.text, changed.image = text, image
        return changed

    def with_items(
        self,
        vectors: Mapping[Modality, NDArray[np.float16]],
        present: Mapping[Modality, NDArray[np.bool_]],
        transforms: FeatureTransforms,
    ) -> Features:
        """Return a copy with more items at its end.

        Args:
            vectors: (n, T) and (n, M) of the modalities that the features have.
            present: (n,) of the same.
            transforms: the transforms by which all items are read, fitted without the new ones.
        """
        grown = copy(self)
        grown.transforms = transforms
        count = len(next(iter(present.values())))
        grown.manifest = {**self.manifest, "n_items": self.manifest["n_items"] + count}
        for modality in MODALITIES:
            own, mask = getattr(self, modality), getattr(self, f"{modality}_present")
            more = vectors.get(modality, np.zeros((count, own.shape[1]), np.float16))
            setattr(grown, modality, np.concatenate([own, more]))
            setattr(grown, f"{modality}_present", np.concatenate([mask, present.get(modality, np.zeros(count, bool))]))
        return grown

    @property
    def whitened(self) -> bool:
        """Whether these are the features of a whitened folder."""
        return "whitening" in self.manifest

    @property
    def text_dim(self) -> int:
        """T, the width of a text vector."""
        return int(self.text.shape[1])

    @property
    def image_dim(self) -> int:
        """M, the width of an image vector."""
        return int(self.image.shape[1])


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a feature folder.

    Raises:
        UserError: it is missing or damaged.
    """
    manifest: dict[str, Any] = read_json(folder / MANIFEST, SHAPE, _remedy(folder))
    return manifest


def _remedy(folder: Path) -> str:
    return f"remove {folder} and run again"
