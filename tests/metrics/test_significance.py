import numpy as np
import pytest
from scipy import stats

from mmrec.metrics.significance import bootstrap_interval, holm, mcnemar


def test_bootstrap_of_a_mean_is_near_the_normal_interval():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap_interval(lambda index: values[index].mean(), len(values))
    half = stats.norm.ppf(0.975) * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_bootstrap_ignores_samples_without_a_value():
    assert bootstrap_interval(lambda index: float("nan") if 0 in index else 1.0, 3) == (1.0, 1.0)
    assert np.isnan(bootstrap_interval(lambda index: float("nan"), 3)).all()


def test_mcnemar_counts_only_what_differs():
    first = [True] * 50 + [False] * 9 + [True]
    second = [True] * 50 + [True] * 9 + [False]
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(9, 10).pvalue)
    assert mcnemar(first, first) == 1


def test_holm_steps_down_and_never_falls():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
