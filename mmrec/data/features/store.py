"""Features on disk: made once per encoder and revision, read by memory map.

A folder `features/<encoder>-<key>/` of a prepared dataset, with I items of which row 0 is padding, holds

| file | content |
|---|---|
| `text.npy`, `image.npy` | float16 (I, T) and (I, M); row 0 and the rows of missing items are zero |
| `text_present.npy`, `image_present.npy` | bool (I,) |
| `features.json` | encoder, options, revision, items present and missing, what was rejected, sha256 of the arrays |

While they are made, finished blocks lie in `features/.<encoder>-<key>-<items>.partial/`, from which a killed extraction
goes on.
"""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import MODALITIES
from mmrec.errors import UserError

MANIFEST = "features.json"


class Features:
    """An extracted feature folder, opened by memory map.

    Attributes:
        text: (I, T) float16, T = 0 where the encoder makes no text vectors or no item has a text.
        image: (I, M) float16, M = 0 likewise.
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

    def with_vectors(self, text: NDArray[np.float16], image: NDArray[np.float16]) -> Features:
        """Return a copy with other vectors in the place of these, (I, T) and (I, M)."""
        changed = copy(self)
        changed.text, changed.image = text, image
        return changed

    @property
    def text_dim(self) -> int:
        """T, the width of a text vector."""
        return int(self.text.shape[1])

    @property
    def image_dim(self) -> int:
        """M, the width of an image vector."""
        return int(self.image.shape[1])
