"""The weights of scores that are added after training, fitted to held-out instances.

How much the neighbours of a history know, against a trained network, differs between data sets: on fashion more than
the network, on short videos less. So the configured weights are a start, and each is multiplied by a factor that the
validation split chooses. There are few factors and few values of each, and a change must be larger than its noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

ERRORS = 2.0
"""Standard errors of the mean that a gain must exceed: few instances leave the configured weights as they are."""
TOGETHER = (0.0, 0.125, 0.25, 0.5, 2.0)
"""Factors by which all weights are multiplied at first."""
APART = (0.0, 0.5, 2.0)
"""Factors by which each weight is multiplied then."""

Quality = Callable[[Sequence[float]], Tensor]
"""Returns the NDCG@10 (n,) of n held-out instances, given a factor for each weight."""


def fit_factors(quality: Quality, count: int) -> list[float]:
    """Return the factors of some weights.

    First all weights are multiplied by one of `TOGETHER`, then each in turn by one of `APART`. Of the changes whose
    mean gain exceeds `ERRORS` standard errors of that mean, the best is made; without one the factors stay.

    Args:
        quality: what is maximised.
        count: number of weights.
    """
    factors = [1.0] * count
    before = quality(factors)
    if len(before) < 2:  # one instance does not show its noise
        return factors
    factors, before = _best(quality, factors, before, ([factor] * count for factor in TOGETHER))
    for place in range(count):
        changed = ([*factors[:place], factors[place] * by, *factors[place + 1 :]] for by in APART)
        factors, before = _best(quality, factors, before, changed)
    return factors


def _best(
    quality: Quality, factors: list[float], before: Tensor, options: Iterable[list[float]]
) -> tuple[list[float], Tensor]:
    """Return the factors with the largest gain that is above its noise, or those before, and their quality."""
    best, found = 0.0, (factors, before)
    for option in options:
        after = quality(option)
        gain = after - before
        mean, error = float(gain.mean()), float(gain.std() / len(gain) ** 0.5)
        if mean > ERRORS * error and mean > best:
            best, found = mean, (option, after)
    return found
