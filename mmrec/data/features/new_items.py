"""Vectors of items that were not in the data, by the encoder and the transforms of a trained model.

A new item gets the row that it would have if it had been in the catalogue and the transforms had been fitted without
it; the rows of all other items stay as they are. `AddedItems` keeps new items with a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.features.encoders.base import PART_ITEMS, FeatureEncoder, Modality, Part, RejectedItem
from mmrec.data.features.encoders.blocks import to_half
from mmrec.data.features.encoders.precomputed import PrecomputedEncoder
from mmrec.data.features.transforms import FeatureTransforms, Halves
from mmrec.data.sources.readers.ids import id_of, one_spelling
from mmrec.errors import UserError
from mmrec.utils.files import write_whole
from mmrec.utils.tables import read_table

COLUMNS = ("raw_id", "title", "text", "image", "attributes")
"""Columns of a table of items, as in `items.parquet`: strings, null if unknown; `attributes` is a JSON object."""


@dataclass(frozen=True)
class NewItem:
    """An item that was not in the data.

    Args:
        raw_id: id of the item, in any spelling that a source accepts; precomputed features are found by it.
        text: what a text encoder reads: title, description and so on, composed as the data's source composes it.
        image: path of an image file.
        title: title for lists and explanations.
        attributes: facts such as brand or genres, each a value or a list of values.
    """

    raw_id: str
    text: str | None = None
    image: str | Path | None = None
    title: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EncodedItems:
    """Vectors of new items, as a feature folder holds them; a model centres them by its transforms.

    Args:
        vectors: (n, T) and (n, M) float16 by modality, whitened if the data are; zero for an item without the modality.
        present: (n,) bool by modality, which items have it.
        rejected: texts and images that could not be encoded; their items count as items without the modality.
    """

    vectors: Mapping[Modality, Halves]
    present: Mapping[Modality, NDArray[np.bool_]]
    rejected: tuple[RejectedItem, ...]


def describe_items(items: Sequence[NewItem]) -> pl.DataFrame:
    """Return a table of new items with the columns `COLUMNS`; ids are in one spelling, as those of a source."""
    rows = [
        (
            one_spelling(id_of(item.raw_id) or ""),
            item.title,
            item.text,
            None if item.image is None else str(item.image),
            json.dumps(dict(item.attributes), ensure_ascii=False) if item.attributes else None,
        )
        for item in items
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def encode_items(items: pl.DataFrame, encoder: FeatureEncoder, transforms: FeatureTransforms) -> EncodedItems:
    """Encode new items.

    Args:
        items: n rows with the columns `COLUMNS`, see `describe_items`.
        encoder: the encoder that made the features of the catalogue.
        transforms: the transforms that were fitted on these features.

    Raises:
        UserError: the encoder is not the one that the transforms are for, a column is missing, or any error of the
            encoder.
    """
    _require_same_encoder(encoder, transforms)
    if missing := [name for name in COLUMNS if name not in items.columns]:
        raise UserError(f"new items have no column {missing[0]}; the columns must be {', '.join(COLUMNS)}")
    numbered = items.with_columns(item=pl.int_range(items.height, dtype=pl.Int32))
    vectors: dict[Modality, Halves] = {}
    present: dict[Modality, NDArray[np.bool_]] = {}
    rejected: list[RejectedItem] = []
    for modality, transform in transforms.modalities.items():
        vectors[modality] = np.zeros((items.height, len(transform.centring.mean)), np.float16)
        present[modality] = np.zeros(items.height, np.bool_)
        if modality not in encoder.modalities():
            continue
        parts = [Part(modality, some) for some in numbered.iter_slices(PART_ITEMS)]
        for part, block in zip(parts, encoder.encode(parts), strict=True):
            rejected += block.rejected
            if not len(block.rows):
                continue
            if block.vectors.shape[1] != transform.width:
                raise UserError(
                    f"{encoder.name} makes {modality} vectors of width {block.vectors.shape[1]}, but those of the "
                    f"catalogue have {transform.width}: give the encoder the options that the model was trained with"
                )
            vectors[modality][block.rows] = transform.stored(to_half(block, part.modality, encoder.name).vectors)
            present[modality][block.rows] = True
    return EncodedItems(vectors, present, tuple(rejected))


def _require_same_encoder(encoder: FeatureEncoder, transforms: FeatureTransforms) -> None:
    """Raise UserError for another encoder. Files of arrays may be others, with rows of the new items."""
    files = isinstance(encoder, PrecomputedEncoder)
    if encoder.name != transforms.encoder or not (files or encoder.revision() == transforms.revision):
        raise UserError(
            f"new items must be encoded by {transforms.encoder} ({transforms.revision}), as the catalogue was, "
            f"not by {encoder.name} ({encoder.revision()})"
        )


@dataclass(frozen=True)
class AddedItems:
    """Items that were added to the catalogue of a run, with their vectors.

    Args:
        table: n rows with the columns `COLUMNS`.
        vectors: (n, T) and (n, M) float16 by modality, as `EncodedItems` has them.
        present: (n,) bool by modality.
        sizes: number of items of each addition, oldest first, together n.
    """

    table: pl.DataFrame
    vectors: Mapping[Modality, Halves]
    present: Mapping[Modality, NDArray[np.bool_]]
    sizes: tuple[int, ...]

    def only(self, kept: NDArray[np.bool_]) -> AddedItems:
        """Return some of the items, given by a mask (n,)."""
        addition = np.repeat(np.arange(len(self.sizes)), self.sizes)[kept]
        sizes = np.bincount(addition, minlength=len(self.sizes))
        return AddedItems(
            self.table.filter(pl.Series(kept)),
            {name: rows[kept] for name, rows in self.vectors.items()},
            {name: mask[kept] for name, mask in self.present.items()},
            tuple(size for size in sizes.tolist() if size),
        )

    def joined(self, more: AddedItems) -> AddedItems:
        """Return these items and more of the same features after them."""
        return AddedItems(
            pl.concat([self.table, more.table]),
            {name: np.concatenate([rows, more.vectors[name]]) for name, rows in self.vectors.items()},
            {name: np.concatenate([mask, more.present[name]]) for name, mask in self.present.items()},
            (*self.sizes, *more.sizes),
        )

    def additions(self) -> Iterator[AddedItems]:
        """Yield the items of each addition, oldest first."""
        of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        yield from (self.only(of == number) for number in range(len(self.sizes)))

    def save(self, file: Path) -> None:
        """Write a Parquet file that `load` reads: the table, the number of the addition, a vector as bytes or null."""
        columns = [pl.Series("addition", np.repeat(np.arange(len(self.sizes)), self.sizes), dtype=pl.Int32)]
        for name, rows in self.vectors.items():
            values = [
                row.astype("<f2").tobytes() if has else None for row, has in zip(rows, self.present[name], strict=True)
            ]
            columns.append(pl.Series(f"{name}_vector", values, dtype=pl.Binary))
        write_whole(file, self.table.select(COLUMNS).with_columns(columns).write_parquet)

    @classmethod
    def load(cls, file: Path, transforms: FeatureTransforms) -> AddedItems:
        """Read what `save` has written.

        Args:
            file: the file.
            transforms: the transforms of the run, which know the widths of the vectors.

        Raises:
            UserError: the file is damaged, or its vectors do not fit the transforms.
        """
        remedy = "remove it, and add the items again"
        names = [f"{modality}_vector" for modality in transforms.modalities]
        table = read_table(file, [*COLUMNS, "addition", *names], None, remedy)
        vectors: dict[Modality, Halves] = {}
        present: dict[Modality, NDArray[np.bool_]] = {}
        for modality, transform in transforms.modalities.items():
            values, width = table[f"{modality}_vector"], len(transform.centring.mean)
            if any(value is not None and len(value) != 2 * width for value in values):
                raise UserError(f"{file}: its {modality} vectors are not of width {width}; {remedy}")
            present[modality] = values.is_not_null().to_numpy()
            vectors[modality] = np.zeros((table.height, width), np.float16)
            filled = np.frombuffer(b"".join(values.drop_nulls()), "<f2")
            vectors[modality][present[modality]] = filled.reshape(-1, width)
        sizes = table["addition"].value_counts().sort("addition")["count"].to_list()
        return cls(table.select(COLUMNS), vectors, present, tuple(sizes))
