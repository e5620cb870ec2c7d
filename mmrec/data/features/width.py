"""The width of whitening that ranks held-out items best by their features alone: `data.whiten: auto`.

An item's score is the mean cosine of its whitened features to those of the newest 20 items of the history, summed over
the modalities. The width with the highest NDCG@10 on the validation split is chosen; a sample of it is enough. Too many
components make all items equally far from each other, too few lose what tells them apart, and which number is right
depends on the catalogue and on the encoder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torch.nn import functional as F

from mmrec.data.catalog import Catalog
from mmrec.data.features.encoders.base import MODALITIES
from mmrec.data.features.store import Features
from mmrec.data.features.transforms import CHUNK, fit_whitening
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.metrics.ranking import candidate_scores, ndcg, rank_of_target
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json

WIDTHS = (8, 16, 32, 64, 128, 256, 384, 512, 640)
NEWEST = 20  # items of the history, as `ContentKNN` reads
INSTANCES = 2_000  # held-out interactions; a standard error of about .003 at an NDCG@10 of .05
ITEMS = (
    2**17
)  # of a larger catalogue a sample is ranked: whitened to 640, 640 MB per modality with the copy of length 1
SCORES = 2**24  # computed at a time: 64 MB
VERSION = 1  # raised when a choice changes


def choose_width(folder: Path, catalog: Catalog, fitting: NDArray[np.bool_]) -> int:
    """Return the chosen width; it is kept next to the features, so that it is chosen once.

    Args:
        folder: a feature folder.
        catalog: the data.
        fitting: (I,) bool, the items that a whitening may be fitted on: those with a training interaction.

    Raises:
        UserError: no feature folder, or a damaged one.
    """
    features = Features(folder)
    arrays = [features.manifest[modality]["sha256"] for modality in MODALITIES]
    identity = json.dumps([VERSION, catalog.manifest.data_hash, arrays])
    key = hashlib.sha256(identity.encode()).hexdigest()[:8]
    file = folder.with_name(f"{folder.name}-width-{key}.json")
    if file.is_file():
        return int(read_json(file, {"width": int}, "remove it")["width"])
    found = ndcg_by_width(features, catalog, fitting)
    width = max(found, key=lambda one: found[one]) if found else WIDTHS[0]
    values = ", ".join(f"{one}: {value:.4f}" for one, value in found.items())
    rank_zero_info(f"whiten auto: width {width}; validation NDCG@10 of ranking by the features alone: {values}")
    content: dict[str, Any] = {"width": width, "ndcg@10": {str(one): round(value, 6) for one, value in found.items()}}
    write_whole(file, json.dumps(content, indent=2) + "\n")
    return width


def ndcg_by_width(features: Features, catalog: Catalog, fitting: NDArray[np.bool_]) -> dict[int, float]:
    """Return NDCG@10 on a sample of the validation split by width; empty without such a split or without features."""
    rows = catalog.instances(Split.VALID)
    rows = rows[:: max(1, -(-len(rows) // INSTANCES))].contiguous()
    start = catalog.offsets[catalog.user_of(rows)]
    sample = _sample(catalog, rows, start)
    tables = [table for table in _tables(features, sample.numpy(), fitting) if table.shape[1] >= WIDTHS[0]]
    if not len(rows) or not tables:
        return {}
    widest = max(table.shape[1] for table in tables)
    found: dict[int, list[Tensor]] = {width: [] for width in WIDTHS if width <= widest}
    parts = list(
        zip(rows.split(max(1, SCORES // len(sample))), start.split(max(1, SCORES // len(sample))), strict=True)
    )
    for width, values in found.items():
        vectors = [F.normalize(table[:, :width], dim=1) for table in tables]
        for some, first in parts:
            values.append(_ndcg(catalog, sample, vectors, some, first))
    return {width: float(torch.cat(values).mean()) for width, values in found.items()}


def _sample(catalog: Catalog, rows: Tensor, start: Tensor) -> Tensor:
    """Return the items to rank, in order: all or evenly spread ones, with the targets and their histories."""
    spread = torch.arange(1, catalog.n_items, max(1, -(-catalog.n_items // ITEMS)))
    before, _ = _before(rows, torch.maximum(start, rows - NEWEST))
    items: Tensor = torch.cat([spread, catalog.items[rows].long(), catalog.items[before].long()]).unique()
    return items


def _tables(features: Features, items: NDArray[np.int64], fitting: NDArray[np.bool_]) -> Iterator[Tensor]:
    """Yield the widest whitened vectors of some items for each modality, (n, k), zero where an item has none."""
    for modality in MODALITIES:
        vectors, present = getattr(features, modality), getattr(features, f"{modality}_present")
        try:
            whitening = fit_whitening(vectors, np.flatnonzero(present & fitting), WIDTHS[-1]) if vectors.size else None
        except UserError:  # vectors without variance, which `whiten_features` refuses
            whitening = None
        if whitening is None:
            continue
        table = torch.zeros(len(items), whitening.matrix.shape[1])
        places = np.flatnonzero(present[items])
        for begin in range(0, len(places), CHUNK):
            some = places[begin : begin + CHUNK]
            table[torch.from_numpy(some)] = torch.from_numpy(whitening.apply(vectors[items[some]])).float()
        yield table


def _before(rows: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return the interactions from `start` to before each row, (n,), and the number (n,) of the row they belong to."""
    lengths = rows - start
    owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
    place = torch.arange(len(owner)) - (lengths.cumsum(0) - lengths)[owner]
    return start[owner] + place, owner


def _ndcg(catalog: Catalog, sample: Tensor, vectors: list[Tensor], rows: Tensor, start: Tensor) -> Tensor:
    newest, owner = _before(rows, torch.maximum(start, rows - NEWEST))
    places = torch.searchsorted(sample, catalog.items[newest].long())
    scores = torch.zeros(len(rows), len(sample))
    for table in vectors:
        profile = torch.zeros(len(rows), table.shape[1]).index_add_(0, owner, table[places])
        scores += F.normalize(profile, dim=1) @ table.T
    history, owner = _before(rows, start)
    items = catalog.items[history].long()
    known = torch.isin(items, sample)
    excluded = owner[known], torch.searchsorted(sample, items[known])
    target = torch.searchsorted(sample, catalog.items[rows].long())
    return ndcg(rank_of_target(candidate_scores(scores, target, excluded), target), 10)
