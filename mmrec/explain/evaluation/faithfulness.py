"""Faithfulness: whether the history items that a text cites are those that the recommendation rests on.

The cited items are removed from the user's history and the recommended item is scored again; the same is done with as
many random other items. The fall of its log-probability (softmax over all items) without the cited items, minus the
fall without the random ones, is above 0 for a text that names what mattered. A model whose user is a node of the graph
does not read the history, and its falls are 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmrec.batch import Clock, SequenceBatch
from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.explain.evaluation.sample import Pair
from mmrec.explain.knowledge import Knowledge
from mmrec.explain.names import shown_title
from mmrec.models.recommender import Recommender

DRAWS = 8
"""Random removals for each pair."""


def cited_items(text: str, cited: Sequence[str], pair: Pair, knowledge: Knowledge) -> list[int]:
    """Return the history items that a text cites or names, the newest first, no more than half of the history."""
    spoken = text.casefold()
    titles = set(cited)
    found: list[int] = []
    for item in dict.fromkeys(reversed(pair.recommendation.history)):
        title = knowledge.title(item)
        shown = shown_title(title).casefold()
        if title in titles or (len(shown) > 3 and shown in spoken) or (len(title) > 3 and title.casefold() in spoken):
            found.append(item)
    return found[: len(set(pair.recommendation.history)) // 2]


@torch.no_grad()
def falls(
    model: Recommender, data: RecDataModule, pairs: Sequence[Pair], cited: Sequence[Sequence[int]], seed: int = 0
) -> list[float]:
    """Return for each pair the fall without the cited items minus the mean fall without random ones.

    Args:
        model: a trained model that is attached to the data.
        data: the datamodule of the model.
        pairs: the sample.
        cited: history items that each pair's text cites.
        seed: seed of the draw of random items.

    Returns:
        One number for each pair, NaN where nothing is cited.
    """
    generator = np.random.default_rng(seed)
    model.eval()
    model.begin_evaluation()
    found = []
    for pair, items in zip(pairs, cited, strict=True):
        history = pair.recommendation.history
        others = sorted(set(history) - set(items))
        if not items or len(others) < len(items):
            found.append(float("nan"))
            continue
        draws = [set(generator.choice(others, len(items), replace=False).tolist()) for _ in range(DRAWS)]
        start = int(data.catalog.offsets[data.catalog.user_of(torch.tensor([pair.row]))])
        kept = [
            [start + place for place, item in enumerate(history) if item not in gone] for gone in [set(items), *draws]
        ]
        without, *random = _log_probabilities(model, data, pair, kept)
        found.append(sum(random) / DRAWS - without)  # what the whole history gives is in both falls
    model.end_evaluation()
    return found


def _log_probabilities(
    model: Recommender, data: RecDataModule, pair: Pair, histories: Sequence[Sequence[int]]
) -> list[float]:
    """Return the log-probability of a pair's item after each history, given by its rows."""
    batch = batch_of(data.catalog, pair.row, histories, data.max_length)
    scores = model.score(model.transfer_batch_to_device(batch, model.device, 0)).float()
    return scores.log_softmax(dim=1)[:, pair.recommendation.item].tolist()


def batch_of(catalog: Catalog, target: int, histories: Sequence[Sequence[int]], max_length: int) -> SequenceBatch:
    """Make a batch of several histories before one interaction; the newest `max_length` of each are the window.

    Args:
        catalog: the dataset.
        target: row of the interaction.
        histories: rows of its user's earlier interactions, oldest first.
        max_length: L.
    """
    rows = [torch.tensor(history) for history in histories]
    windows = [row[-max_length:] for row in rows]
    before = [row[:-max_length] for row in rows]
    asked = [torch.cat([row[1:], row.new_tensor([target])]) for row in windows]
    offsets: Tensor = torch.tensor([0, *(len(row) for row in before)]).cumsum(0)

    def padded(column: Tensor, rows: Sequence[Tensor]) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence([column[row].long() for row in rows], batch_first=True)

    return SequenceBatch(
        user=catalog.user_of(torch.tensor([target])).expand(len(rows)),
        items=padded(catalog.items, windows),
        earlier=catalog.items[torch.cat(before)].long(),
        earlier_offsets=offsets,
        clock=Clock(padded(catalog.timestamp, windows), padded(catalog.timestamp, asked)),
    )
