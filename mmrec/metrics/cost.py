"""The cost of a training."""

from __future__ import annotations

from collections.abc import Mapping


def seconds_per_epoch(training: Mapping[str, float]) -> float | None:
    """Return the mean seconds per epoch, validation included; None for a model without epochs.

    Args:
        training: the section `training` of a result, with `epochs` and `seconds`.
    """
    return training["seconds"] / training["epochs"] if training["epochs"] else None
