"""Sobol indices and elementary effects: against scipy, Ishigami's function and models with known answers."""

from math import inf, isnan, pi

import numpy as np
import pytest
from scipy.stats import norm, qmc, sobol_indices

from sim.analysis.sensitivity import more, morris, ranking, sobol

ISHIGAMI_FIRST, ISHIGAMI_TOTAL = (0.3139, 0.4424, 0.0), (0.5576, 0.4424, 0.2437)


def ishigami(u):
    """Ishigami and Homma (1990): a = 7, b = 0.1, on (-pi, pi)."""
    x = pi * (2 * u - 1)
    return np.sin(x[..., 0]) + 7 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


def design(function, d, log2n, lucks=2, sd=0.0, seed=1):
    """Runs of a function on Saltelli's design; lucks are shared by the points of a row, as in a study."""
    points = qmc.Sobol(2 * d, rng=np.random.default_rng(seed)).random_base2(log2n)
    a, b = points[:, :d], points[:, d:]
    rng = np.random.default_rng([seed, 1])

    def runs(u, shared):
        own = sd * rng.standard_normal((len(u), lucks)) / 2
        return function(u)[:, None] + sd * shared + own

    shared = rng.standard_normal((len(a), lucks))
    mixed = [np.where(np.arange(d) == i, b, a) for i in range(d)]
    return runs(a, shared), runs(b, shared), np.array([runs(u, shared) for u in mixed])


def linear(u):
    """Three normal inputs with effects 2, 1 and 0: indices 0.8, 0.2 and 0."""
    return norm.ppf(u) @ np.array([2.0, 1.0, 0.0])


def values(estimates):
    return np.array([one.value for one in estimates])


def test_without_luck_they_are_scipys():
    a, b, ab = design(ishigami, 3, 9)
    found = sobol(a, b, ab, 100, np.random.default_rng(1))
    func = {"f_A": a[:, :1].T, "f_B": b[:, :1].T, "f_AB": ab[:, :, 0][:, None]}
    scipys = sobol_indices(func=func, n=512)
    np.testing.assert_allclose(values(found.first), scipys.first_order, rtol=1e-9)
    np.testing.assert_allclose(values(found.total), scipys.total_order, rtol=1e-9)
    assert found.luck.value == pytest.approx(0, abs=1e-9)


def test_ishigami():
    found = sobol(*design(ishigami, 3, 12), 100, np.random.default_rng(1))
    np.testing.assert_allclose(values(found.first), ISHIGAMI_FIRST, atol=0.02)
    np.testing.assert_allclose(values(found.total), ISHIGAMI_TOTAL, atol=0.02)
    assert found.sd**2 == pytest.approx(13.84, rel=0.02)


@pytest.mark.parametrize("lucks", [2, 4])
def test_luck_does_not_raise_the_indices(lucks):
    """Three times as much luck as there is to explain, shared in part: the total index of nothing stays nothing."""
    found = sobol(*design(linear, 3, 13, lucks, sd=3.5), 200, np.random.default_rng(1))
    np.testing.assert_allclose(values(found.first), (0.8, 0.2, 0.0), atol=0.1)
    np.testing.assert_allclose(values(found.total), (0.8, 0.2, 0.0), atol=0.1)
    noise = 3.5**2 * 1.25
    assert found.luck.value == pytest.approx(noise / (noise + 5), abs=0.03)
    for estimates, truth in ((found.first, (0.8, 0.2, 0.0)), (found.total, (0.8, 0.2, 0.0))):
        for one, true in zip(estimates, truth, strict=True):
            assert one.low - 0.05 <= true <= one.high + 0.05


def test_a_yes_or_no():
    """A chance of 0.2 or 0.8 by the first input: its indices are 1, and 64% of the variance of single runs is luck."""
    rng = np.random.default_rng(2)
    n = 20_000
    a, b = rng.random((n, 2)), rng.random((n, 2))
    luck = rng.random((n, 2))

    def runs(u):
        return (luck < np.where(u[:, :1] < 0.5, 0.2, 0.8)).astype(float)

    mixed = [np.where(np.arange(2) == i, b, a) for i in range(2)]
    found = sobol(runs(a), runs(b), np.array([runs(u) for u in mixed]), 200, np.random.default_rng(1))
    np.testing.assert_allclose(values(found.first), (1, 0), atol=0.06)
    np.testing.assert_allclose(values(found.total), (1, 0), atol=0.06)
    assert found.luck.value == pytest.approx(0.64, abs=0.02)


def test_what_cannot_be_told_from_luck_is_not_given():
    found = sobol(*design(lambda u: np.zeros(len(u)), 2, 6, sd=1.0), 100, np.random.default_rng(1))
    assert all(isnan(one.value) for one in (*found.first, *found.total))
    assert found.luck.high == 1
    constant = sobol(*design(lambda u: np.zeros(len(u)), 2, 6), 100, np.random.default_rng(1))
    assert isnan(constant.luck.value)


def test_a_ranking_says_how_sure_it_is():
    rng = np.random.default_rng(1)
    centre = np.array([0.2, 0.6, 0.25, 0.0])
    resampled = centre + 0.05 * rng.standard_normal((2000, 4))
    first, second, third = ranking(centre, resampled, 3)
    assert (first.input, second.input, third.input) == (1, 2, 0)
    assert (first.times, third.times) == (1.0, 1.0)
    assert second.share == pytest.approx(norm.cdf(0.05 / np.hypot(0.05, 0.05)), abs=0.03)
    assert second.times == pytest.approx((norm.ppf(0.95) * np.hypot(0.05, 0.05) / 0.05) ** 2, rel=0.1)
    assert ranking(np.zeros(2), np.zeros((10, 2)), 3)[0].times == inf
    assert more(2.34, 1000) == 2400
    assert more(inf, 1000) == 0


def test_elementary_effects_of_a_linear_model():
    """Effects without spread between places, though luck spreads them; a bent one has a spread."""
    rng = np.random.default_rng(1)
    n = 4000
    bent = rng.choice([-1.0, 1.0], n)
    true = np.stack([np.full(n, 3.0), np.full(n, -2.0), 2 * bent, np.zeros(n)], axis=1)
    found = morris(true[:, :, None] + rng.standard_normal((n, 4, 2)), 100, rng)
    np.testing.assert_allclose([one.mu.value for one in found], (3, -2, 0, 0), atol=0.1)
    np.testing.assert_allclose([one.mu_star.value for one in found[:3]], (3, 2, 2), atol=0.1)
    np.testing.assert_allclose([one.sigma for one in found], (0, 0, 2, 0), atol=0.3)
    assert found[0].mu_star.low <= 3.02
    assert found[0].mu_star.high >= 2.98
