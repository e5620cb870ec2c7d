"""The frozen sample: (user, top-1 item) pairs, stratified by the item's popularity and the user's history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from mmrec.explain.evidence import first_instances, recommendations
from mmrec.explain.packet import Recommendation
from mmrec.models.recommender import Recommender
from mmrec.utils.files import write_whole
from mmrec.utils.json_files import read_json

POOL = 4000
"""Users from whom the sample is drawn: enough for a rare stratum without a pass over millions."""
SHAPE = {
    "data_hash": str, "seed": int, "asked_for": int,
    "pairs": [{"row": int, "user": str, "item": int, "stratum": str}],
}  # fmt: skip
"""Content of `sample.json`."""
HEAD_SHARE = 0.2
"""Share of the items, those with the most training interactions, that are the head."""


@dataclass(frozen=True)
class Pair:
    """A user's top recommendation.

    Args:
        row: held-out interaction before which the recommendation is made.
        recommendation: the recommendation with its evidence.
        stratum: "head" or "tail" item, "short" or "long" history.
    """

    row: int
    recommendation: Recommendation
    stratum: str


def frozen_sample(model: Recommender, data: RecDataModule, count: int, seed: int, file: Path) -> list[Pair]:
    """Draw the sample, or draw again what an earlier run has written down.

    Args:
        model: a trained model that is attached to the data.
        data: the datamodule of the model.
        count: number of pairs, spread evenly over the strata as far as they have enough.
        seed: seed of the draw.
        file: JSON file with the sample; evaluations of other language models on the same pairs read it.

    Raises:
        UserError: the file is of other data, another model, another seed or another size.
    """
    if file.is_file():
        return _read(model, data, count, seed, file)
    rows = first_instances(data, Split.TEST, POOL, seed)
    made = recommendations(model, data, rows, top_k=1)
    pairs = _stratified(data, rows.tolist(), made, count)
    kept = {
        "data_hash": data.catalog.manifest.data_hash,
        "seed": seed,
        "asked_for": count,
        "pairs": [
            {"row": p.row, "user": p.recommendation.user, "item": p.recommendation.item, "stratum": p.stratum}
            for p in pairs
        ],
    }
    write_whole(file, json.dumps(kept, indent=1) + "\n")
    return pairs


def _read(model: Recommender, data: RecDataModule, count: int, seed: int, file: Path) -> list[Pair]:
    kept = read_json(file, SHAPE, "remove it, or choose another --out")
    rows, items, strata = ([pair[name] for pair in kept["pairs"]] for name in ("row", "item", "stratum"))
    stamped = kept["data_hash"], kept["seed"], kept["asked_for"]
    if stamped != (data.catalog.manifest.data_hash, seed, count):
        raise UserError(f"{file}: a sample of other data, seed or size; choose another --out")
    made = recommendations(model, data, torch.tensor(rows), top_k=1)
    if [r.item for r in made] != items:
        raise UserError(f"{file}: a sample of another model's recommendations; choose another --out")
    return [Pair(row, r, stratum) for row, r, stratum in zip(rows, made, strata, strict=True)]


def _stratified(data: RecDataModule, rows: list[int], made: list[Recommendation], count: int) -> list[Pair]:
    popularity = data.catalog.train.popularity
    head = set(popularity.argsort(descending=True)[: int(HEAD_SHARE * data.n_items)].tolist())
    middle = sorted(len(r.history) for r in made)[len(made) // 2] if made else 0
    strata: dict[str, list[Pair]] = {}
    for row, r in zip(rows, made, strict=True):
        name = f"{'head' if r.item in head else 'tail'}, {'long' if len(r.history) > middle else 'short'}"
        strata.setdefault(name, []).append(Pair(row, r, name))
    chosen: list[Pair] = []
    queues = [strata[name] for name in sorted(strata)]
    while len(chosen) < count and any(queues):  # one of each in turn; the order within a stratum is the draw's
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    return chosen
