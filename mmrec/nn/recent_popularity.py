r"""Popularity shortly before the time of a query, which follows seasons and fashions.

    r(t, i) = log(ε + Σ_{training events e of i in an earlier period} exp(-(t - t_e) / h))

Time is cut into periods of equal width, at least a day. Events of the query's own period do not count, so neither the
event to predict nor the basket it belongs to is part of its own score, and nothing later than the query is. Where the
data has an order and no times, a day is one step of a user's sequence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.data.catalog import TrainView

DAY = 86_400  # seconds
PERIODS = 512  # at most, so that the table of a catalogue of 20,000 items takes 40 MB
FLOOR = 0.1  # ε, in events


class RecentPopularity(nn.Module):
    """Table of r for all periods and items.

    Args:
        days: h, after which an event counts e times less.
    """

    table: Tensor
    calendar: Tensor

    def __init__(self, days: float) -> None:
        super().__init__()
        self.days = days
        self.register_buffer("table", torch.empty(0, 0), persistent=False)
        self.register_buffer("calendar", torch.tensor([0, DAY]), persistent=False)  # first time, width of a period

    @torch.no_grad()
    def set_view(self, view: TrainView, day: int = DAY) -> None:
        """Count in the train-only view; times after its last event belong to one more period.

        Args:
            view: the training interactions.
            day: length of a day in the unit of their times.
        """
        first = int(view.timestamp.min())
        span = int(view.timestamp.max()) - first
        width = max(day, -(-span // PERIODS))
        self.calendar = torch.tensor([first, width], device=self.calendar.device)
        periods = span // width + 2
        kept = torch.zeros(periods, view.n_items, dtype=torch.float64)
        period = (view.timestamp - first) // width
        end = first + (period + 1) * width
        added = torch.exp((view.timestamp - end).double() / (self.days * day))
        kept.view(-1).index_add_(0, period * view.n_items + view.items.long(), added)
        faded = float(torch.tensor(-width / (self.days * day), dtype=torch.float64).exp())
        counts = torch.zeros(periods, view.n_items, dtype=torch.float64)
        for number in range(1, periods):
            counts[number] = counts[number - 1] * faded + kept[number - 1]
        self.table = (counts + FLOOR).log().float().to(self.table.device)

    def forward(self, time: Tensor) -> Tensor:
        """Return r of all items at some times (n,), (n, I)."""
        return self.table[self.period(time)]

    def period(self, time: Tensor) -> Tensor:
        """Return the period (n,) int64 of some times (n,); a time after the last period belongs to it."""
        return ((time.long() - self.calendar[0]) // self.calendar[1]).clamp(0, len(self.table) - 1)
