"""Vectors of items that were not in the data, by the encoder and the transforms of a trained model.

A new item gets the row that it would have if it had been in the catalogue and the transforms had been fitted without
it; the rows of all other items stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from mmrec.data.features.encoders.base import PART_ITEMS, FeatureEncoder, Modality, Part, RejectedItem
from mmrec.data.features.encoders.blocks import to_half
from mmrec.data.features.transforms import FeatureTransforms
from mmrec.errors import UserError

COLUMNS = ("raw_id", "title", "text", "image", "attributes")
"""Columns of a table of items, as in `items.parquet`: strings, null if unknown; `attributes` is a JSON object."""


@dataclass(frozen=True)
class NewItem:
    """An item that was not in the data.

    Args:
        raw_id: id of the item; precomputed features are found by it.
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
    """Rows of new items, as a model reads them.

    Args:
        rows: (n, T) and (n, M) float32 by modality, whitened to a smaller width if the data are; zero for an item
            without the modality.
        present: (n,) bool by modality, which items have it.
        rejected: texts and images that could not be encoded; their items count as items without the modality.
    """

    rows: Mapping[Modality, Tensor]
    present: Mapping[Modality, Tensor]
    rejected: tuple[RejectedItem, ...]


def describe_items(items: Sequence[NewItem]) -> pl.DataFrame:
    """Return a table of new items with the columns `COLUMNS`."""
    rows = [
        (
            item.raw_id,
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
    if (encoder.name, encoder.revision()) != (transforms.encoder, transforms.revision):
        raise UserError(
            f"new items must be encoded by {transforms.encoder} ({transforms.revision}), as the catalogue was, "
            f"not by {encoder.name} ({encoder.revision()})"
        )
    if missing := [name for name in COLUMNS if name not in items.columns]:
        raise UserError(f"new items have no column {missing[0]}; the columns must be {', '.join(COLUMNS)}")
    numbered = items.with_columns(item=pl.int_range(items.height, dtype=pl.Int32))
    rows: dict[Modality, Tensor] = {}
    present: dict[Modality, Tensor] = {}
    rejected: list[RejectedItem] = []
    for modality, transform in transforms.modalities.items():
        parts = [Part(modality, some) for some in numbered.iter_slices(PART_ITEMS)]
        rows[modality] = torch.zeros(items.height, len(transform.centring.mean))
        present[modality] = torch.zeros(items.height, dtype=torch.bool)
        for part, block in zip(parts, encoder.encode(parts), strict=True):
            rejected += block.rejected
            if not len(block.rows):
                continue
            if block.vectors.shape[1] != transform.width:
                raise UserError(
                    f"{encoder.name} makes {modality} vectors of width {block.vectors.shape[1]}, but those of the "
                    f"catalogue have {transform.width}: give the encoder the options that the model was trained with"
                )
            index = torch.from_numpy(np.asarray(block.rows, np.int64))
            rows[modality][index] = transform.apply(to_half(block, part.modality, encoder.name).vectors)
            present[modality][index] = True
    return EncodedItems(rows, present, tuple(rejected))
