"""Sample-weighted means of per-step scalars over an epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class SampleMeans:
    """Means of named scalars over samples, with one operation per step and without waiting for a GPU.

    Attributes:
        samples: number of samples added.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._names: tuple[str, ...] = ()
        self._sums: Tensor | None = None

    def add(self, values: Mapping[str, Tensor], samples: int) -> None:
        """Add the means over some samples.

        Raises:
            ValueError: the names differ from those of the first call.
        """
        sums = samples * torch.stack([value.detach().float() for value in values.values()])
        if self._sums is None:
            self._names, self._sums = tuple(values), sums
        elif self._names != tuple(values):
            raise ValueError(f"values has the names {tuple(values)}, but the steps before had {self._names}")
        else:
            self._sums += sums
        self.samples += samples

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each scalar; an empty dictionary if no sample was added."""
        return {} if self._sums is None else dict(zip(self._names, self._sums / self.samples, strict=True))
