"""Differences between methods on the same users: size, interval, effect and significance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from mmrec.metrics.significance import holm, mean_interval

LEVEL = 0.05
SPREAD = 1e-9
"""Range below which differences count as constant: results have 6 digits, and rounding errors are about 1e-16."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The difference of one method from another on the same users.

    Args:
        mean: mean difference over users, in the metric's unit.
        relative: mean difference divided by the mean of the other method; None if that is 0.
        interval: 95 % bootstrap interval of the mean difference over users.
        effect: Cohen's d of the paired differences: their mean divided by their standard deviation.
        p: two-sided p of the paired t-test over users, with Holm's correction for all methods compared. Constant
            differences have no p: effect is 0 and p is 1.
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
    """Return the two-sided p of the paired t-test of (n,) against (n,); 1 if the differences are constant."""
    return 1.0 if constant(values - base) else float(ttest_rel(values, base).pvalue)


def constant(gains: Values) -> bool:
    """Whether differences (n,) do not vary, as with one pair: then they have neither a t-test nor an effect size."""
    return len(gains) < 2 or bool(np.ptp(gains) < SPREAD)


def _effect(gains: Values) -> float:
    return 0.0 if constant(gains) else float(gains.mean() / gains.std(ddof=1))
