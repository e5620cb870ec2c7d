"""Vectors for users without training interactions, in models with one vector per user."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.data.catalog import TrainView


class KnownUsers(nn.Module):
    """Replaces the vectors of users without training interactions by the mean vector of all other users.

    Their own vectors were never trained and would rank at random; the mean ranks first what most users like. The papers
    of models with one vector per user leave such users out.

    Args:
        n_users: U.
    """

    known: Tensor

    def __init__(self, n_users: int) -> None:
        super().__init__()
        self.register_buffer("known", torch.ones(n_users, dtype=torch.bool), persistent=False)

    def set_view(self, view: TrainView) -> None:
        """Take from the train-only view which users have training interactions."""
        self.known = (view.offsets.diff() > 0).to(self.known.device)

    def forward(self, users: Tensor) -> Tensor:
        """Return the vectors (U, D) of all users, with the mean for users without training interactions."""
        mean = users[self.known].mean(dim=0)
        return torch.where(self.known[:, None], users, mean)
