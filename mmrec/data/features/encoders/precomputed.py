"""Features computed elsewhere: `.npy` arrays and the list of ids that names their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import MODALITIES, Block, FeatureEncoder, Modality, Part, RejectedItem, hash_file
from mmrec.data.sources.readers.paths import find_raw
from mmrec.errors import UserError

Array = NDArray[np.floating[Any]]


class PrecomputedEncoder(FeatureEncoder):
    """Imports arrays, matching rows by the raw item id. Values are taken as they are, not normalised.

    Relative paths are looked for in the current folder, then in the folders of raw data. Rows of NaN, the usual mark
    for "no picture", are missing. So are items whose id has no row, and rows with any other NaN or infinity: both are
    reported.

    Args:
        items: CSV whose first column holds the raw ids, one line per array row; one line more means a header.
        text: `.npy` of shape (rows, T), floating point, or null for none.
        image: `.npy` of shape (rows, M), floating point, or null for none.
        name: begins the folder's name; say which model made the arrays.
        id_length: number of leading characters of each id in `items` that name the item, as where a product's id begins
            the ids of its articles; the vectors of rows that share them are averaged. Null for whole ids.
    """

    def __init__(
        self,
        items: str,
        text: str | None = None,
        image: str | None = None,
        name: str = "precomputed",
        id_length: int | None = None,
    ) -> None:
        if text is None and image is None:
            raise UserError("PrecomputedEncoder: name a .npy file in text, in image or in both")
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise UserError(
                f"PrecomputedEncoder: name {name!r} begins a folder's name; use letters, digits, '.', '_', '-'"
            )
        self.items = items
        self.paths: dict[Modality, str | None] = {"text": text, "image": image}
        self.name = name
        self.id_length = id_length

    def options(self) -> dict[str, object]:
        """Return the files' names without folders: their content is in the revision."""
        files = {"text": self.paths["text"], "image": self.paths["image"], "items": self.items}
        names: dict[str, object] = {key: None if path is None else Path(path).name for key, path in files.items()}
        return names if self.id_length is None else {**names, "id_length": self.id_length}

    def revision(self) -> str:
        """Return the sha256 of the files, shortened to 16 digits each."""
        files = [self.paths["text"], self.paths["image"], self.items]
        return "+".join("none" if path is None else hash_file(find_raw(path))[:16] for path in files)

    def modalities(self) -> tuple[Modality, ...]:
        """Return those that have an array."""
        return tuple(modality for modality in MODALITIES if self.paths[modality] is not None)

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block for each part.

        Raises:
            UserError: a file is missing or is no 2-d floating array, or its rows are not the ids'.
        """
        for modality, group in groupby(parts, key=lambda part: part.modality):
            array = self._open(modality)
            ids = self._ids(len(array), self.paths[modality])
            for part in group:
                yield self._block(part, array, ids)

    def _block(self, part: Part, array: Array, ids: pl.DataFrame) -> Block:
        """Look the part's ids up; `ids` has columns raw_id and row (of the array)."""
        table = part.items.select("item", "raw_id").join(ids, on="raw_id", how="left", maintain_order="left")
        known = table.filter(pl.col("row").is_not_null())
        rows = known["item"].cast(pl.Int64).to_numpy()
        vectors = np.asarray(array[known["row"].to_numpy()])
        absent, finite = np.isnan(vectors).all(axis=1), np.isfinite(vectors).all(axis=1)
        unlisted = tuple(
            RejectedItem(
                "id without a row",
                f"{self.items}: no {raw_id!r} in its first column, which has ids such as {ids['raw_id'].first()!r}",
            )
            for raw_id in table.filter(pl.col("row").is_null())["raw_id"]
        )
        broken = tuple(
            RejectedItem("row with some NaN or infinity", f"{self.paths[part.modality]}: row {row} (id {raw_id})")
            for row, raw_id in known.filter(~finite & ~absent).select("row", "raw_id").iter_rows()
        )
        rows, vectors = rows[finite], vectors[finite]
        if self.id_length is not None:
            rows, vectors = _mean_by_item(rows, vectors)
        return Block(rows, vectors, unlisted + broken)

    def _open(self, modality: Modality) -> Array:
        path = self.paths[modality]
        assert path is not None  # encode is called for `modalities` alone
        try:
            array = np.load(find_raw(path), mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise UserError(f"{path}: not a .npy array of numbers ({error}); write it with numpy.save") from error
        if not isinstance(array, np.ndarray) or array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
            found = f"{array.ndim}-d {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
            raise UserError(f"{path}: is {found}; write one 2-d floating-point array (rows, width) with numpy.save")
        return array

    def _ids(self, rows: int, path: str | None) -> pl.DataFrame:
        """Return columns raw_id and row (of the array)."""
        try:
            table = pl.read_csv(find_raw(self.items), has_header=False, infer_schema=False, columns=[0], glob=False)
        except pl.exceptions.PolarsError as error:
            raise UserError(f"{self.items}: not a CSV file of item ids ({str(error).splitlines()[0]})") from error
        lines = table.to_series().alias("raw_id")
        if len(lines) not in (rows, rows + 1):
            raise UserError(f"{self.items}: names {len(lines)} rows but {path} has {rows}; give one line per row")
        ids = lines.tail(rows)
        if self.id_length is not None:
            return ids.str.head(self.id_length).to_frame().with_row_index("row")
        twice = ids.filter(ids.is_duplicated() & ids.is_not_null())
        if len(twice):
            raise UserError(f"{self.items}: id {twice[0]!r} stands twice; keep one line and array row per item")
        return ids.to_frame().with_row_index("row")


def _mean_by_item(rows: NDArray[np.int64], vectors: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the items (n,) in order and the mean (n, T) of the vectors of each."""
    items, group = np.unique(rows, return_inverse=True)
    total = np.zeros((len(items), vectors.shape[1]))
    np.add.at(total, group, vectors)
    return items, (total / np.bincount(group)[:, None]).astype(vectors.dtype)
