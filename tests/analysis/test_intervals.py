"""Intervals against published values, scipy.stats, and their own promise: coverage."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from sim.analysis.intervals import Estimate, mean, paired_difference, proportion, quantile, wilson


def test_wilson_at_none_and_all():
    z2 = stats.norm.ppf(0.975) ** 2
    none, every = proportion(0, 400), proportion(400, 400)
    assert none == Estimate(0.0, 0.0, pytest.approx(z2 / (400 + z2), rel=1e-12), 400)
    assert (every.value, every.high, every.n) == (1.0, 1.0, 400)
    assert every.low == pytest.approx(400 / (400 + z2), rel=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 1), (3, 7), (81, 263), (15, 148), (1, 29), (399, 400)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_agrees_with_scipy(successes, n, confidence):
    known = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    estimate = proportion(successes, n, confidence)
    assert estimate == Estimate(successes / n, pytest.approx(known.low), pytest.approx(known.high), n)


def test_wilson_published():
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81/263 and 15/148."""
    low, high = wilson([81, 15], 263)
    assert (low[0].round(4), high[0].round(4)) == (0.2553, 0.3662)
    low, high = wilson(15, 148)
    assert (low.round(4), high.round(4)) == (0.0624, 0.1605)


def test_proportion_of_nothing_is_unknown():
    assert np.isnan(proportion(0, 0)[:3]).all()
    assert proportion(0, 0).n == 0


@pytest.mark.parametrize(("successes", "n"), [(-1, 10), (11, 10), (1, 0)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="between 0 and n"):
        proportion(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_impossible_confidence_is_refused(confidence):
    for estimate in (lambda: proportion(1, 2, confidence), lambda: mean([1, 2], confidence)):
        with pytest.raises(ValueError, match="confidence"):
            estimate()


@pytest.mark.parametrize("n", [2, 5, 400])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_mean_agrees_with_scipy(n, confidence):
    x = np.random.default_rng(n).lognormal(3, 1, n)
    known = stats.ttest_1samp(x, 0).confidence_interval(confidence)
    assert mean(x, confidence) == Estimate(
        pytest.approx(x.mean()), pytest.approx(known.low), pytest.approx(known.high), n
    )


def test_mean_of_few():
    assert np.isnan(mean([])[:3]).all()
    assert mean([]).n == 0
    assert mean([4.0])[0] == 4.0
    assert np.isnan(mean([4.0])[1:3]).all()
    assert mean([4.0, 4.0]) == (4.0, 4.0, 4.0, 2)


@pytest.mark.parametrize("bad", [[1.0, np.nan], [np.inf], [[1.0, 2.0]]])
def test_values_are_never_dropped_silently(bad):
    with pytest.raises(ValueError, match="finite"):
        mean(bad)
    with pytest.raises(ValueError, match="finite"):
        quantile(bad, 0.5)


def test_quantile_by_hand():
    """n = 10, median: P(Bin(10, 1/2) <= 1) = 11/1024 <= 0.025 < P(<= 2), so the 2nd to the 9th value."""
    assert quantile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.5) == (5.5, 2.0, 9.0, 10)


def test_quantile_needs_values_enough():
    assert quantile(range(6), 0.5) == (2.5, 0.0, 5.0, 6)  # 2 / 2**6 <= 0.05
    assert np.isnan(quantile(range(5), 0.5)[1:3]).all()  # 2 / 2**5 > 0.05
    assert quantile(range(72), 0.05).low == 0.0  # 0.95**72 <= 0.025
    assert np.isnan(quantile(range(71), 0.05).low)
    assert np.isnan(quantile([], 0.5)[:3]).all()
    with pytest.raises(ValueError, match="strictly between"):
        quantile([1, 2], 1.0)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantile_covers_at_least_nominally(q):
    """Exact coverage of the chosen order statistics, from the binomial distribution."""
    for n in (80, 137, 400):
        estimate = quantile(np.arange(1, n + 1), q)
        coverage = stats.binom.cdf(estimate.high - 1, n, q) - stats.binom.cdf(estimate.low - 1, n, q)
        narrower = stats.binom.cdf(estimate.high - 2, n, q) - stats.binom.cdf(estimate.low, n, q)
        assert coverage >= 0.95 > narrower


def test_paired_difference():
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 10, 50)
    a, b = shared + rng.normal(1, 0.1, 50), shared
    known = stats.ttest_rel(a, b).confidence_interval(0.95)
    paired = paired_difference(a, b)
    assert paired == Estimate(pytest.approx((a - b).mean()), pytest.approx(known.low), pytest.approx(known.high), 50)
    assert paired.high - paired.low < 0.1
    with pytest.raises(ValueError, match="50 and 49"):
        paired_difference(a, b[1:])


def test_analysis_is_quick_to_import():
    modules = "goals, intervals, reached, summary, tables, time_use, words"
    code = f"import sys; from sim.analysis import {modules}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy.stats", "matplotlib", "pyarrow"} & set(loaded)
