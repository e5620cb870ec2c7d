"""Means over an epoch of what every step has of its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class SampleMeans:
    """Means of named scalars over samples. One operation a step, however many there are, and no wait for a GPU.

    Attributes:
        samples: that were added.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._names: tuple[str, ...] = ()
        self._sums: Tensor | None = None

    def add(self, values: Mapping[str, Tensor], samples: int) -> None:
        """Add the means over some samples; the names are the same every time.

        Raises:
            ValueError: they are not.
        """
        sums = samples * torch.stack([value.detach().float() for value in values.values()])
        if self._sums is None:
            self._names, self._sums = tuple(values), sums
        elif self._names != tuple(values):
            raise ValueError(f"the steps of an epoch have {self._names}, but one has {tuple(values)}")
        else:
            self._sums += sums
        self.samples += samples

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each; nothing if nothing was added."""
        return {} if self._sums is None else dict(zip(self._names, self._sums / self.samples, strict=True))
