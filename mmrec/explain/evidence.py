"""What a model recommends and what the recommendation rests on: from a trained model to `Recommendation`s."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmrec.batch import EvalBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.explain.attribution import falls_of_row
from mmrec.explain.packet import Recommendation
from mmrec.models.recommender import Recommender


def first_instances(data: RecDataModule, split: Split, users: int, seed: int = 0) -> Tensor:
    """Return the rows (n,) of the first held-out interactions of some users, who are drawn by a fixed seed.

    The evidence is what a user did before that interaction, so nothing of the test period enters it.
    """
    rows = data.catalog.instances(split)
    of_user = data.catalog.user_of(rows)
    rows = rows[of_user.diff(prepend=of_user[:1] - 1) > 0]
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:users]]


@torch.no_grad()
def recommendations(
    model: Recommender, data: RecDataModule, rows: Tensor, top_k: int, of_users: bool = False
) -> list[Recommendation]:
    """Return the top recommendations, each with the model's evidence.

    Args:
        model: a trained model that is attached to the data.
        data: the datamodule with the histories.
        rows: (n,) held-out interactions, each with the history before it; user indices with `of_users`, each with the
            whole history.
        top_k: number of recommendations for each row.
        of_users: whether `rows` are user indices.
    """
    loader = data.loader_of(None if of_users else rows)
    places = rows if of_users else torch.arange(len(rows))
    model.eval()
    model.begin_evaluation()
    found: dict[int, list[Recommendation]] = {}
    for part in places.split(data.eval_batch_size):
        batch = loader.batch(part)
        made = _of_batch(model, data, batch, top_k)
        found.update(zip(batch.instance.tolist(), made, strict=True))
    model.end_evaluation()
    return [each for row in rows.tolist() for each in found[row]]


def _of_batch(model: Recommender, data: RecDataModule, batch: EvalBatch, top_k: int) -> list[list[Recommendation]]:
    on_device = model.transfer_batch_to_device(batch, model.device, 0)
    scores, items = (x.tolist() for x in model.recommend(on_device, top_k))
    signals = model.signals(on_device)
    neighbours = model.neighbours()
    interests = model.encode_users(on_device).float().cpu() if model.is_dot_product else None
    catalog, read = data.catalog, model.read_modalities
    made = []
    for row, user in enumerate(batch.user.tolist()):
        start = int(catalog.offsets[user])
        length = int(batch.lengths[row]) + int(batch.earlier_offsets[row + 1] - batch.earlier_offsets[row])
        history = catalog.items[start : start + length].tolist()
        known_by = model.item_signals(items[row])
        falls = falls_of_row(model, batch, row)
        of_user = []
        for place, (item, score) in enumerate(zip(items[row], scores[row], strict=True), start=1):
            if math.isinf(score):
                break  # the user knows everything else
            near = [] if neighbours is None else [i for i in history if item in neighbours[i].tolist()]
            numbers = {**known_by[place - 1], **signals[row]}
            interest = None if interests is None else interests[row].numpy()
            fall = tuple(falls[:, item].tolist()) if falls.shape[1] > item else ()
            of_user.append(
                Recommendation(catalog.user_ids[user], item, place, score, history, near, numbers, interest, fall, read)
            )
        made.append(of_user)
    return made
