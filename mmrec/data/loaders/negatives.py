"""Seen pairs and uniform negative sampling, for losses that need items a user has not interacted with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.batch import PAD
from mmrec.data.catalog import TrainView


class SeenPairs(nn.Module):
    """Tells whether a user has interacted with an item in training.

    The pairs are one sorted tensor of keys, user * I + item, so that a query is a binary search on the device.
    """

    keys: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.n_items = 0
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64), persistent=False)

    def set_view(self, view: TrainView) -> None:
        """Take the interactions of the train-only view."""
        self.n_items = view.n_items
        user, item = view.pairs()
        self.keys = (user * view.n_items + item).to(self.keys.device)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return whether each pair is a training interaction, bool, in the broadcast shape of `user` and `item`."""
        key = user * self.n_items + item
        place = torch.searchsorted(self.keys, key).clamp_(max=len(self.keys) - 1)
        return self.keys[place] == key


class UniformNegativeSampler(nn.Module):
    """Draws items uniformly among those that a user has not interacted with in training.

    Let s_0 < s_1 < ... be the items that a user has seen. Before s_t there are s_t - 1 - t unseen items. So the j-th
    unseen item is j + 1 + the number of seen items with s_t - 1 - t <= j: one binary search over all users at once.
    """

    keys: Tensor
    starts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.n_items = 0
        for name in ("keys", "starts"):
            self.register_buffer(name, torch.empty(0, dtype=torch.int64), persistent=False)

    def set_view(self, view: TrainView) -> None:
        """Take the interactions of the train-only view."""
        self.n_items = view.n_items
        user, item = view.pairs()
        starts = torch.searchsorted(user, torch.arange(view.n_users + 1))
        unseen_before = item - 1 - (torch.arange(len(user)) - starts[user])
        device = self.keys.device
        self.keys = (user * view.n_items + unseen_before).to(device)
        self.starts = starts.to(device)

    def forward(self, user: Tensor) -> Tensor:
        """Draw one item for each user (P,), int64; PAD for a user who has seen all items."""
        first, end = self.starts[user], self.starts[user + 1]
        unseen = self.n_items - 1 - (end - first)
        # In double precision, because the 24 bits of fp32 are too few for a large catalogue.
        drawn = (torch.rand(user.shape, device=user.device, dtype=torch.float64) * unseen).long()
        seen_before = torch.searchsorted(self.keys, user * self.n_items + drawn, right=True) - first
        return torch.where(unseen > 0, drawn + 1 + seen_before, PAD)


def uniform_items(shape: tuple[int, ...], n_items: int, device: torch.device) -> Tensor:
    """Draw items 1 .. I - 1 uniformly, int64, in a shape."""
    return torch.randint(1, n_items, shape, device=device)
