"""Attribution by deletion: how much a recommendation rests on each item of the history.

Each of the newest history items is removed in turn, with all its copies, and the fall of every item's log-probability
(softmax over all items) is computed. A model whose user is a node of the graph does not read the history, and all its
falls are 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmrec.batch import PAD, Clock, SequenceBatch
from mmrec.models.recommender import Recommender

MOST = 8
"""Newest items of a history that are removed."""


@torch.no_grad()
def falls_of_row(model: Recommender, batch: SequenceBatch, row: int) -> Tensor:
    """Return the falls (n, I) of all items' log-probabilities without each of the newest n items, oldest first.

    The places of an item that occurs several times have the same fall.

    Args:
        model: a trained model in evaluation mode.
        batch: histories, on the CPU.
        row: row of the user in the batch.
    """
    length = int(batch.lengths[row])
    newest = batch.items[row][max(0, length - MOST) : length].tolist()
    if len({*batch.items[row][:length].tolist()}) < 2:  # a history of one item would be empty without it
        return torch.zeros(len(newest), 1)
    shortened = model.transfer_batch_to_device(histories_of_row(batch, row, [PAD, *newest]), model.device, 0)
    logits = model.score(shortened).float().log_softmax(dim=1).cpu()
    return logits[0] - logits[1:]


def histories_of_row(batch: SequenceBatch, row: int, removed: Sequence[int]) -> SequenceBatch:
    """Return a batch of several versions of one history, each without all copies of one item.

    Args:
        batch: histories.
        row: row of the user in the batch.
        removed: the item that each version lacks; PAD for the whole history.
    """
    window = batch.items[row][: int(batch.lengths[row])]
    places = [(window != item).nonzero()[:, 0] for item in removed]
    times = [batch.clock.item_time[row][version] for version in places]
    last = batch.clock.query_time[row][len(window) - 1]
    earlier = batch.earlier[int(batch.earlier_offsets[row]) : int(batch.earlier_offsets[row + 1])]
    older = [earlier[earlier != item] for item in removed]
    padded = torch.nn.utils.rnn.pad_sequence
    return SequenceBatch(
        user=batch.user[row].expand(len(removed)),
        items=padded([window[version] for version in places], batch_first=True),
        earlier=torch.cat(older),
        earlier_offsets=torch.tensor([0, *map(len, older)]).cumsum(0),
        clock=Clock(
            padded(times, batch_first=True),
            padded([torch.cat([time[1:], last[None]]) for time in times], batch_first=True),
        ),
    )
