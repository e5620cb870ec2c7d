"""Features computed elsewhere: `.npy` arrays and a list of item ids, one per row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import MODALITIES, Block, FeatureEncoder, Modality, Part, RejectedItem
from mmrec.data.sources.readers.csv import SURPLUS, CsvFile, Dialect
from mmrec.data.sources.readers.ids import spelled_alike
from mmrec.data.sources.readers.paths import find_raw
from mmrec.errors import InvalidArgument, UserError, require, require_whole_number
from mmrec.utils.files import hash_file

Array = NDArray[np.floating[Any]]


class PrecomputedEncoder(FeatureEncoder):
    """Vectors from arrays whose rows are matched by raw item id; values are used as they are, not normalised.

    Relative paths are searched in the current folder, then in the folders of raw data. Ids are brought to one spelling,
    as the sources do. Rows that are all NaN, the usual mark for "no image", are missing. Items whose id has no row, and
    rows with any other NaN or infinity, are missing too and are reported.

    Args:
        items: CSV whose first column holds the raw ids, one line per array row; one line more means a header. Blank
            lines at the end do not count.
        text: `.npy` of shape (rows, T), floating point, or null for none.
        image: `.npy` of shape (rows, M), floating point, or null for none.
        name: first part of the folder's name, for example the model that made the arrays.
        id_length: number of leading characters of each id in `items` that name the item, for example where the ids of a
            product's articles begin with the id of the product; the vectors of rows that share them are averaged. Null
            for whole ids.

    Raises:
        InvalidArgument: no array is named, or the name or the length is not valid.
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
            raise InvalidArgument("text", "text or image must name a file, but both are null")
        valid = re.fullmatch(r"\w[\w.-]*", name) is not None
        require(valid, "name", repr(name), "made of letters, digits, '.', '_' and '-', for it begins a folder's name")
        if id_length is not None:
            require_whole_number("id_length", id_length, at_least=1)
        self.items = items
        self.paths: dict[Modality, str | None] = {"text": text, "image": image}
        self.name = name
        self.id_length = id_length

    def options(self) -> dict[str, object]:
        """Return the files' names without folders; their content is in the revision."""
        files = {"text": self.paths["text"], "image": self.paths["image"], "items": self.items}
        names: dict[str, object] = {key: None if path is None else Path(path).name for key, path in files.items()}
        return names if self.id_length is None else {**names, "id_length": self.id_length}

    def revision(self) -> str:
        """Return the sha256 of each file, shortened to 16 digits."""
        files = [self.paths["text"], self.paths["image"], self.items]
        return "+".join("none" if path is None else hash_file(find_raw(path))[:16] for path in files)

    def modalities(self) -> tuple[Modality, ...]:
        """Return the modalities that have an array."""
        return tuple(modality for modality in MODALITIES if self.paths[modality] is not None)

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block per part.

        Raises:
            UserError: a file is missing or not a 2-d floating-point array, the numbers of rows and ids differ, or an id
                is blank or repeated.
        """
        for modality, group in groupby(parts, key=lambda part: part.modality):
            array = self._open(modality)
            ids = self._ids(len(array), self.paths[modality])
            for part in group:
                yield self._block(part, array, ids)

    def _block(self, part: Part, array: Array, ids: pl.DataFrame) -> Block:
        """Return the vectors of a part's ids; `ids` has columns raw_id and row (of the array)."""
        items = part.items.select("item", spelled_alike(pl.col("raw_id")))
        table = items.join(ids, on="raw_id", how="left", maintain_order="left")
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
        assert path is not None  # only modalities with an array are encoded
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
        file = CsvFile(find_raw(self.items), Dialect(header=False))
        file.require_utf8()
        with file.reading():
            table = file.scan(["raw_id"]).select(spelled_alike(pl.col("raw_id")).fill_null(""), SURPLUS).collect()
        filled = ((table["raw_id"] != "") | table[SURPLUS].is_not_null()).arg_true()
        lines = table["raw_id"].head(filled[-1] + 1 if len(filled) else 0)  # blank lines at the end do not count
        if len(lines) not in (rows, rows + 1):
            raise UserError(f"{self.items}: names {len(lines)} rows but {path} has {rows}; give one line per row")
        ids = lines.tail(rows)
        blank = (ids == "").arg_true()
        if len(blank):
            line = file.line_of(len(lines) - rows + blank[0])
            raise UserError(f"{self.items}:{line}: the id is blank; name the item of row {blank[0]} of {path}")
        if self.id_length is not None:
            return ids.str.head(self.id_length).to_frame().with_row_index("row")
        twice = ids.filter(ids.is_duplicated())
        if len(twice):
            raise UserError(f"{self.items}: id {twice[0]!r} is listed twice; keep one line and one array row per item")
        return ids.to_frame().with_row_index("row")


def _mean_by_item(rows: NDArray[np.int64], vectors: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the items (n,) in order and the mean (n, T) of the vectors of each."""
    items, group = np.unique(rows, return_inverse=True)
    total = np.zeros((len(items), vectors.shape[1]))
    np.add.at(total, group, vectors)
    return items, (total / np.bincount(group)[:, None]).astype(vectors.dtype)
