"""What a table of users holds for somebody who was not there in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.data.catalog import TrainView


class KnownUsers(nn.Module):
    """Gives users without a training interaction the mean vector of those who have one.

    Their own row was never trained and would rank by chance; by the mean they get what suits most. The papers of models
    with a table of users leave such users out.
    """

    known: Tensor

    def __init__(self, n_users: int) -> None:
        super().__init__()
        self.register_buffer("known", torch.ones(n_users, dtype=torch.bool), persistent=False)

    def set_view(self, view: TrainView) -> None:
        """Take who has training interactions."""
        self.known = (view.offsets.diff() > 0).to(self.known.device)

    def forward(self, users: Tensor) -> Tensor:
        """Return the vectors of all users (U, D), of the unknown ones the mean of the others."""
        mean = users[self.known].mean(dim=0)
        return torch.where(self.known[:, None], users, mean)
