"""Items a user has not interacted with in the training period, for the contrastive losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.data.catalog import TrainView


class TrainedPairs(nn.Module):
    """Answers whether a user has an item among the training interactions.

    The pairs are one sorted row of keys, user * I + item, so that a question is a binary search on the device.
    """

    keys: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.n_items = 0
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64), persistent=False)

    def set_view(self, view: TrainView) -> None:
        """Take the pairs of the train-only view."""
        self.n_items = view.n_items
        self.keys = torch.unique(view.users * view.n_items + view.items).to(self.keys.device)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return whether each pair was seen, bool, in the broadcast shape of `user` and `item`."""
        key = user * self.n_items + item
        place = torch.searchsorted(self.keys, key).clamp_(max=len(self.keys) - 1)
        return self.keys[place] == key


def uniform_items(count: tuple[int, ...], n_items: int, device: torch.device) -> Tensor:
    """Draw items 1 .. I - 1 uniformly, int64, in the shape `count`."""
    return torch.randint(1, n_items, count, device=device)
