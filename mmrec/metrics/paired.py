"""Differences between methods on the same users: how large, how sure, and whether they may be called significant."""

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
    """How one method differs from another on the same users.

    Args:
        mean: of the differences by user, in the metric's unit.
        relative: the mean as a share of the other method's, None where that is 0.
        interval: its 95 % bootstrap interval over users.
        effect: Cohen's d of the paired differences, their mean in units of their standard deviation.
        p: two-sided, of the paired t-test over users, corrected after Holm for all methods compared.
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
    """Compare methods with one other by the values of the same users.

    Args:
        methods: (users,) by name.
        base: (users,) of the method to compare with, in the same order of users.

    Returns:
        by name, in the order given.
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
    """Return the two-sided p of the paired t-test of (n,) against (n,), 1 where nothing differs or one pair is all."""
    return float(ttest_rel(values, base).pvalue) if len(values) > 1 and (values != base).any() else 1.0


def _effect(gains: Values) -> float:
    deviation = gains.std(ddof=1) if len(gains) > 1 else 0.0
    return float(gains.mean() / deviation) if deviation else 0.0
