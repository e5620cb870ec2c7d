"""Differences between methods on the same users: size, interval, effect and significance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from mmrec.metrics.significance import holm, mean_interval

LEVEL = 0.05
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The difference of one method from another on the same users.

    Args:
        mean: mean difference over users, in the metric's unit.
        relative: mean difference divided by the mean of the other method; None if that is 0.
        interval: 95 % bootstrap interval of the mean difference over users.
        effect: Cohen's d of the paired differences: their mean divided by their standard deviation.
        p: two-sided p of the paired t-test over users, with Holm's correction for all methods compared.
    """

    mean: float
    relative: float | None
    interval: tuple[float, float]
    effect: float
    p: float

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below .05."""
        return self.p < LEVEL


def differences(methods: Mapping[str, Values], base: Values) -> dict[str, Difference]:
    """Return the differences of methods from a base method on the same users, by name of the method.

    Args:
        methods: the values (users,) of each method, by name.
        base: the values (users,) of the base method, in the same order of users.
    """
    p_values = holm([paired_p(values, base) for values in methods.values()])
    return {
        name: Difference(
            mean=float((values - base).mean()),
            relative=float(values.mean() / base.mean() - 1) if base.any() else None,
            interval=mean_interval(values - base),
            effect=_effect(values - base),
            p=p,
        )
        for (name, values), p in zip(methods.items(), p_values, strict=True)
    }


def paired_p(values: Values, base: Values) -> float:
    """Return the two-sided p of the paired t-test of (n,) against (n,); 1 if all are equal or there is one pair."""
    return float(ttest_rel(values, base).pvalue) if len(values) > 1 and (values != base).any() else 1.0


def _effect(gains: Values) -> float:
    deviation = gains.std(ddof=1) if len(gains) > 1 else 0.0
    return float(gains.mean() / deviation) if deviation else 0.0
