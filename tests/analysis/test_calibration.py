"""Calibration: the arithmetic, known answers recovered, and a method that is right on average."""

import numpy as np
import pytest
from scipy import stats

from sim.analysis.calibration import (
    Counted,
    crps,
    draw,
    effective_sample_size,
    log_likelihood,
    quantiles,
    rank,
    trials,
    uniformity,
    weights,
)


def counted(value, low, high, sd=2.0):
    return Counted("2025-01-01", value, low, high, sd)


def test_likelihood_of_a_range():
    """Mean over 37, ..., 43 of the normal density."""
    s = np.array([[30.0], [40.0], [55.0]])
    (column,) = log_likelihood([s], [counted(40, 37, 43)]).T
    expected = [np.mean([stats.norm.pdf(k, value, 2.0) for k in range(37, 44)]) for value in (30, 40, 55)]
    np.testing.assert_allclose(np.exp(column), expected, rtol=1e-12)


def test_likelihood_of_an_undated_count_is_the_mean_over_its_dates():
    s = np.array([[10.0, 14.0, 30.0]])
    one = [np.exp(log_likelihood([s[:, [i]]], [counted(14, 14, 14)]))[0, 0] for i in range(3)]
    assert np.exp(log_likelihood([s], [counted(14, 14, 14)]))[0, 0] == pytest.approx(np.mean(one))


def test_weights():
    fit = np.log(np.array([[0.2], [0.6], [0.9], [0.2]]))
    w = weights(fit, np.array([True, True, False, True]))
    np.testing.assert_allclose(w, [0.2, 0.6, 0, 0.2])
    assert effective_sample_size(w) == pytest.approx(1 / (0.04 + 0.36 + 0.04))
    assert effective_sample_size(np.full(50, 1 / 50)) == pytest.approx(50)
    nothing = weights(fit, np.zeros(4, bool))
    assert (nothing == 0).all()
    assert effective_sample_size(nothing) == 0
    far = weights(np.array([[-2000.0], [-2001.0]]), np.ones(2, bool))  # no underflow
    assert far[0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_systematic_draws_are_as_many_as_the_weight_says():
    rng = np.random.default_rng(2)
    w = rng.exponential(size=40)
    w /= w.sum()
    for u in (0.01, 0.5, 0.99):
        times = np.bincount(draw(w, 137, u), minlength=40)
        assert times.sum() == 137
        assert (np.abs(times - 137 * w) < 1).all()


def test_weighted_quantiles_and_ranks():
    x, w = np.array([3.0, 1.0, 2.0, 4.0]), np.array([0.1, 0.4, 0.4, 0.1])
    np.testing.assert_array_equal(quantiles(x, w, [0.1, 0.4, 0.5, 0.85, 1.0]), [1, 1, 2, 3, 4])
    assert rank(x, w, 2.0) == pytest.approx(0.6)
    assert rank(x, w, 0.0) == 0
    assert rank(x, w, 9.0) == pytest.approx(1)


def test_weighted_crps_is_the_integral():
    rng = np.random.default_rng(5)
    x, w = rng.normal(size=30), rng.exponential(size=30)
    w /= w.sum()
    grid = np.linspace(-9, 9, 200_001)
    cdf = np.array([w[x <= z].sum() for z in np.sort(x)])
    steps = np.concatenate([[0], cdf])[np.searchsorted(np.sort(x), grid, side="right")]
    for value in (-1.3, 0.2, 4.0):
        integral = np.trapezoid((steps - (grid >= value)) ** 2, grid)
        assert crps(x, w, value) == pytest.approx(integral, abs=2e-4)


@pytest.fixture(scope="module")
def bank():
    """A toy with a known answer: a rate on (0, 2); counts are Poisson with 20, 40 and 60 times the rate."""
    rng = np.random.default_rng(11)
    rate = rng.uniform(0, 2, 4000)
    simulated = [rng.poisson(m * rate)[:, None].astype(float) for m in (20, 40, 60)]
    return rate, simulated


def test_a_known_parameter_is_recovered():
    """Truth 1.3: counts 26, 52, 78. The posterior of 156 seen in 120 rates is gamma(157, 120): sd 0.104, and a little
    more for a discrepancy with sd 2 in each count.
    """
    rng = np.random.default_rng(6)
    rate = rng.uniform(0, 2, 60_000)
    simulated = [rng.poisson(m * rate)[:, None].astype(float) for m in (20, 40, 60)]
    seen = [counted(26, 26, 26), counted(52, 52, 52), counted(78, 78, 78)]
    w = weights(log_likelihood(simulated, seen), np.ones(len(rate), bool))
    mean = w @ rate
    sd = np.sqrt(w @ rate**2 - mean**2)
    n = effective_sample_size(w)
    assert n > 100
    assert abs(mean - 157 / 120) < 4 * 0.104 / np.sqrt(n)  # gamma(157, 120)
    assert 0.09 < sd < 0.13


def test_ranks_of_true_values_are_uniform(bank):
    """The method's own calibration, on 150 truths; chi-square on 10 bins, false alarm 1e-3."""
    rate, simulated = bank
    seen = [counted(20, 18, 23), counted(40, 40, 40), counted(60, 55, 60)]
    done = trials(rate[:, None], simulated, np.ones(len(rate), bool), seen, 150, seed=3)
    counts, p = uniformity(np.array([one.ranks[0] for one in done]))
    assert counts.sum() == 150
    assert p > 1e-3
    assert np.median([one.shrunk[0] for one in done]) < 0.5  # the counts do tell


def test_wrong_errors_are_seen_in_the_ranks(bank):
    """Observed with a discrepancy of 10 and weighted as if it were 1: truths fall outside too often."""
    rate, simulated = bank
    rng = np.random.default_rng(4)
    ranks = []
    for truth in range(120):
        seen = [counted(v := float(round(s[truth, 0] + rng.normal(0, 10))), v, v, 1.0) for s in simulated]
        others = np.ones(len(rate), bool)
        others[truth] = False
        ranks.append(rank(rate, weights(log_likelihood(simulated, seen), others), rate[truth]))
    assert uniformity(np.array(ranks))[1] < 1e-6
