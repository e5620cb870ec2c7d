"""Items that come after training: read, checked and encoded as the catalogue of the model was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from mmrec.data.features.encoders import FeatureEncoder
from mmrec.data.features.encoders.base import Modality, RejectedItem
from mmrec.data.features.new_items import COLUMNS, AddedItems, NewItem, describe_items, encode_items
from mmrec.data.features.transforms import FeatureTransforms
from mmrec.data.schema import Rejected, Source, merge_rejected
from mmrec.data.sources.readers.ids import MALFORMED, is_placeholder
from mmrec.data.sources.tabular import read_new_items
from mmrec.errors import InvalidArgument


@dataclass(frozen=True)
class Addition:
    """What became of items that were to be added.

    Args:
        added: raw ids of those that were added.
        known: raw ids of those that the catalogue has already; it keeps its own.
        empty: raw ids of those without text or image that the model reads, which leave nothing to score them by.
        repeated: number of records after the first of their id.
        faults: records, texts and images that could not be used, by kind.
    """

    added: tuple[str, ...]
    known: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    repeated: int = 0
    faults: Mapping[str, Rejected] | None = None

    def __str__(self) -> str:
        """Return one line for the log."""
        known, empty = len(self.known), len(self.empty)
        parts = [f"added {len(self.added):,} of {len(self.added) + known + empty + self.repeated:,} items"]
        if known:
            parts.append(f"{known:,} are in the catalogue already (first {self.known[0]})")
        if empty:
            parts.append(f"{empty:,} have no text or image that the model reads (first {self.empty[0]})")
        if self.repeated:
            parts.append(f"{self.repeated:,} have the id of another")
        faults = [f"{fault.count:,} x {kind} (first {fault.first})" for kind, fault in (self.faults or {}).items()]
        return "; ".join([*parts, *faults])


@dataclass(frozen=True)
class Model:
    """What is asked of a trained model to add items to it.

    Args:
        modalities: what it reads of an item.
        transforms: the transforms of its features.
        encoder: what made its features; None where that is not at hand.
        ids: raw ids of its items.
        source: the source of its data; None where that is not at hand.
    """

    modalities: Collection[Modality]
    transforms: FeatureTransforms
    encoder: FeatureEncoder | None
    ids: Collection[str]
    source: Source | None


def encode_new_items(
    items: str | Path | Iterable[NewItem], images: str | Path | None, model: Model
) -> tuple[AddedItems, Addition]:
    """Read and encode new items; those that cannot be added are left out and counted.

    Args:
        items: a file, see `read_new_items`, or the items themselves.
        images: folder where image paths start; None for the folder of the file, or the working folder.
        model: the model that they are for.

    Raises:
        UserError: the file cannot be read or lacks a column, or any error of the encoder.
        InvalidArgument: the encoder is not at hand.
    """
    faults: dict[str, Rejected] = {}
    repeated = 0
    folder = None if images is None else Path(images)
    if isinstance(items, str | Path):
        read = read_new_items(Path(items), folder, model.source)
        missing = {kind: Rejected(note.count, note.example) for kind, note in read.notes.items()}
        faults, repeated = merge_rejected(read.rejected, missing), read.repeated
        table = read.items.rename({"item": "raw_id"})
    else:
        table = describe_items([_started(one, folder) for one in items])
    unusable = _unusable_ids(table["raw_id"])
    usable = table.filter(unusable.is_null())
    table = usable.unique("raw_id", keep="first", maintain_order=True)
    repeated += usable.height - table.height
    known = table["raw_id"].is_in(list(model.ids))
    new = table.filter(~known)
    if model.encoder is None:
        raise InvalidArgument("encoder", "encoder must be given: the encoder of the model's features is not at hand")
    encoded = encode_items(new, model.encoder, model.transforms)
    places = [RejectedItem(kind, f"item {number} of the list") for number, kind in enumerate(unusable, 1) if kind]
    faults = merge_rejected(faults, _counted([*places, *encoded.rejected]))
    readable = [mask for modality, mask in encoded.present.items() if modality in model.modalities]
    kept = np.logical_or.reduce(readable) if readable else np.zeros(new.height, np.bool_)
    everything = AddedItems(new.select(COLUMNS), encoded.vectors, encoded.present, (new.height,))
    added = everything.only(kept)
    known_ids, empty_ids = table.filter(known)["raw_id"], new.filter(pl.Series(~kept))["raw_id"]
    report = Addition(tuple(added.table["raw_id"]), tuple(known_ids), tuple(empty_ids), repeated, faults)
    return added, report


def _unusable_ids(ids: pl.Series) -> pl.Series:
    """Return what is wrong with each id; null where nothing is. The records of a file have passed the same checks."""
    faults = {
        "item record without id": pl.col("id") == "",
        "item record with a placeholder for its id": is_placeholder(pl.col("id")),
        "item record with malformed id": pl.col("id").str.contains(MALFORMED),
    }
    found = pl.coalesce(pl.when(wrong).then(pl.lit(kind)) for kind, wrong in faults.items())
    return ids.to_frame("id").select(found).to_series()


def _started(item: NewItem, folder: Path | None) -> NewItem:
    return item if folder is None or item.image is None else replace(item, image=folder / item.image)


def _counted(rejected: Sequence[RejectedItem]) -> dict[str, Rejected]:
    """Count rejected ids, texts and images by kind."""
    first = {one.kind: one.where for one in reversed(rejected)}
    return {kind: Rejected(count, first[kind]) for kind, count in Counter(one.kind for one in rejected).items()}
