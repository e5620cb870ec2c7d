import numpy as np
import pytest
from scipy import stats

from mmrec.metrics.paired import Difference, differences, paired_p
from mmrec.metrics.significance import holm


def test_differences_are_those_of_scipy_and_of_the_definition() -> None:
    draw = np.random.default_rng(0)
    base = draw.random(200)
    methods = {"much": base + draw.normal(0.1, 0.2, 200), "little": base + draw.normal(0.01, 0.2, 200)}
    found = differences(methods, base)
    p_values = holm([stats.ttest_rel(values, base).pvalue for values in methods.values()])
    assert [difference.p for difference in found.values()] == pytest.approx(p_values)
    assert found["much"].significant
    assert not found["little"].significant
    gains = methods["much"] - base
    assert found["much"].mean == pytest.approx(gains.mean())
    assert found["much"].relative == pytest.approx(gains.mean() / base.mean())
    assert found["much"].effect == pytest.approx(gains.mean() / np.sqrt(((gains - gains.mean()) ** 2).sum() / 199))
    normal = stats.bootstrap((gains,), np.mean, method="percentile", rng=1).confidence_interval
    assert found["much"].interval == pytest.approx(normal, abs=0.005)


def test_p_grows_with_the_number_of_comparisons() -> None:
    """A single comparison has p of about .03, which is not significant among twenty."""
    base = np.linspace(0, 1, 50)
    gains = np.tile([0.1, -0.05], 25) + np.linspace(-0.02, 0.02, 50)
    alone = differences({"m": base + gains}, base)["m"]
    among = differences({f"m{k}": base + gains for k in range(20)}, base)["m0"]
    assert alone.significant
    assert among.p == pytest.approx(20 * alone.p)
    assert not among.significant


def test_equal_methods_have_no_difference() -> None:
    values = np.zeros(5)
    assert differences({"same": values}, values)["same"] == Difference(0.0, None, (0.0, 0.0), 0.0, 1.0)
    assert paired_p(np.ones(1), np.zeros(1)) == 1  # one pair cannot be significant


@pytest.mark.filterwarnings("error")
def test_differences_that_do_not_vary_are_not_significant() -> None:
    assert differences({"a": np.ones(3)}, np.zeros(3))["a"] == Difference(1.0, None, (1.0, 1.0), 0.0, 1.0)
    noisy = differences({"a": np.array([0.13, 0.14, 0.16])}, np.array([0.11, 0.12, 0.14]))["a"]
    assert (noisy.effect, noisy.p, noisy.significant) == (0, 1, False)
    assert paired_p(np.array([0.13, 0.140001]), np.array([0.11, 0.12])) < 0.05  # the last digit of a result
