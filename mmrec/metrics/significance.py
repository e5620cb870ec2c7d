"""Intervals and tests for the difference between two methods on the same instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

RESAMPLES = 2000  # 50 resamples lie beyond each end of a 95 % interval
Index = NDArray[np.int64]


def bootstrap_interval(
    statistic: Callable[[Index], float], count: int, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic (Efron, 1979).

    If `statistic` is the difference of two methods, both are resampled together, so that the interval is a paired one.

    Args:
        statistic: function of the (count,) indices of a sample with repetition; NaN for a sample without a value.
        count: number of instances.
        level: level of the interval.
        resamples: number of samples drawn.
        seed: seed of the draw.
    """
    generator = np.random.default_rng(seed)
    values = [statistic(generator.integers(0, count, count)) for _ in range(resamples)]
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail]) if not np.isnan(values).all() else (np.nan, np.nan)
    return float(low), float(high)


def mean_interval(values: NDArray[np.float64], weights: Index | None = None) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of values (n,), weighted by `weights` (n,)."""
    if weights is None:
        return bootstrap_interval(lambda index: float(values[index].mean()), len(values))
    return bootstrap_interval(lambda index: float(np.average(values[index], weights=weights[index])), len(values))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Return the exact two-sided p of McNemar's test that two methods succeed equally often on the same instances."""
    pairs = list(zip(first, second, strict=True))
    gained, lost = sum(b and not a for a, b in pairs), sum(a and not b for a, b in pairs)
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values with Holm's correction for multiple tests (1979), in the order given."""
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
