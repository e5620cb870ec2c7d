"""Input ablation: the same run without one kind of information, to test where a gain comes from.

| `data.input_ablation` | what remains |
|---|---|
| `features_shuffled` | every item has the features of another, text and image of the same one |
| `features_noise` | every item has Gaussian noise with the mean and standard deviation of each dimension |
| `order_shuffled` | every window, in training and evaluation, holds its items and their times in a random order |

An item without text or image stays without it. All draws use one fixed seed, so every run is ablated alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmrec.batch import PAD, Clock, EvalBatch, TrainBatch
from mmrec.data.features.encoders.base import MODALITIES
from mmrec.data.features.store import Features
from mmrec.data.loaders.evaluation import EvalLoader
from mmrec.data.loaders.windows import TrainLoader

InputAblation = Literal["features_shuffled", "features_noise", "order_shuffled"]
SEED = 20_260_215


def ablate_features(features: Features, input_ablation: InputAblation | None) -> Features:
    """Return the ablated features; the same object if the ablation does not concern features."""
    if input_ablation not in ("features_shuffled", "features_noise"):
        return features
    draw = np.random.default_rng(SEED)
    arrays = {name: getattr(features, name) for name in MODALITIES}
    present = {name: getattr(features, f"{name}_present") for name in MODALITIES}
    if input_ablation == "features_noise":
        made = {name: _noise(arrays[name], present[name], draw) for name in MODALITIES}
    else:
        made = {name: np.array(array) for name, array in arrays.items()}
        # Items that have the same modalities exchange all of theirs.
        kinds = present["text"] + 2 * present["image"].astype(np.int8)
        for kind in (1, 2, 3):
            items = np.flatnonzero(kinds == kind)
            other = draw.permutation(items)
            for name in MODALITIES:
                made[name][items] = arrays[name][other]
    return features.with_vectors(made["text"], made["image"])


def _noise(vectors: NDArray[np.float16], present: NDArray[np.bool_], draw: np.random.Generator) -> NDArray[np.float16]:
    made = np.zeros(vectors.shape, np.float16)
    if present.any() and vectors.shape[1]:
        rows = vectors[present].astype(np.float32)
        made[present] = draw.normal(rows.mean(axis=0), rows.std(axis=0), rows.shape)
    return made


class ShuffledTrainLoader(TrainLoader):
    """Training windows whose events, including the last target, are shuffled; each event predicts the next one."""

    def batch(self, user: Tensor, start: Tensor) -> TrainBatch:
        """Return the shuffled windows of some users (B,) that start at some rows (B,)."""
        batch = super().batch(user, start)
        items, clock = batch.items, batch.clock
        rows, last = torch.arange(len(items), device=items.device), batch.lengths - 1
        events, times = (
            torch.cat([column, torch.zeros_like(column[:, :1])], dim=1) for column in (items, clock.item_time)
        )
        events[rows, last + 1], times[rows, last + 1] = batch.targets[rows, last], clock.query_time[rows, last]
        order = _order(batch.user, events != PAD)
        events, times = events.gather(1, order), times.gather(1, order)
        inputs = events[:, :-1].masked_fill(items == PAD, PAD)  # the last event of a row is only a target
        return replace(batch, items=inputs, targets=events[:, 1:], clock=Clock(times[:, :-1], times[:, 1:]))


class ShuffledEvalLoader(EvalLoader):
    """Held-out interactions with shuffled windows before them."""

    def batch(self, index: Tensor) -> EvalBatch:
        """Return a batch of some entries (B,) of `rows`, with shuffled windows."""
        batch = super().batch(index)
        order = _order(batch.user, batch.items != PAD)
        clock = Clock(batch.clock.item_time.gather(1, order), batch.clock.query_time)
        return replace(batch, items=batch.items.gather(1, order), clock=clock)


def _order(user: Tensor, events: Tensor) -> Tensor:
    """Return positions (B, L) that shuffle the events, (B, L) bool, and leave the padding at the end.

    The order depends on user and position alone, not on the width, so that the numbers do not depend on the batch size.
    """
    keys = (user[:, None] << 32) + torch.arange(events.shape[1], device=user.device) + SEED
    for factor in (-7046029254386353131, -4417276706812531889):  # mixes the bits as splitmix64 does
        keys = (keys ^ (keys >> 30)) * factor
    return (keys ^ (keys >> 31)).masked_fill(~events, torch.iinfo(torch.int64).max).argsort(dim=1)
