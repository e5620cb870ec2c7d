"""What a user has among the training interactions and what not, for losses that need negatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.batch import PAD
from mmrec.data.catalog import TrainView


class SeenPairs(nn.Module):
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
        user, item = view.pairs()
        self.keys = (user * view.n_items + item).to(self.keys.device)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return whether each pair was seen, bool, in the broadcast shape of `user` and `item`."""
        key = user * self.n_items + item
        place = torch.searchsorted(self.keys, key).clamp_(max=len(self.keys) - 1)
        return self.keys[place] == key


class UniformNegativeSampler(nn.Module):
    """Draws, for each user asked about, one of the items that the user has not among the training interactions.

    Of a user's known items in order, s_0 < s_1 < ..., the t-th has s_t - 1 - t unknown ones before it. So the j-th
    unknown item is j + 1 + the number of known items with s_t - 1 - t <= j: one binary search, over all users at once.
    """

    keys: Tensor
    starts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.n_items = 0
        for name in ("keys", "starts"):
            self.register_buffer(name, torch.empty(0, dtype=torch.int64), persistent=False)

    def set_view(self, view: TrainView) -> None:
        """Take the pairs of the train-only view."""
        self.n_items = view.n_items
        user, item = view.pairs()
        starts = torch.searchsorted(user, torch.arange(view.n_users + 1))
        unknown_before = item - 1 - (torch.arange(len(user)) - starts[user])
        device = self.keys.device
        self.keys = (user * view.n_items + unknown_before).to(device)
        self.starts = starts.to(device)

    def forward(self, user: Tensor) -> Tensor:
        """Draw an item for each user (P,), int64; PAD for a user who knows all of them."""
        first, end = self.starts[user], self.starts[user + 1]
        unknown = self.n_items - 1 - (end - first)
        # In double precision: fp32 has 24 bits, and a large catalogue needs more of them.
        drawn = (torch.rand(user.shape, device=user.device, dtype=torch.float64) * unknown).long()
        known_before = torch.searchsorted(self.keys, user * self.n_items + drawn, right=True) - first
        return torch.where(unknown > 0, drawn + 1 + known_before, PAD)


def uniform_items(count: tuple[int, ...], n_items: int, device: torch.device) -> Tensor:
    """Draw items 1 .. I - 1 uniformly, int64, in the shape `count`."""
    return torch.randint(1, n_items, count, device=device)
