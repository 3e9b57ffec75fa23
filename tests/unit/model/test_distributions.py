"""Distributions: quantile functions against scipy.stats, and what is refused."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.model.distributions import (
    KINDS,
    POSITIVE,
    beta_mean_quantile,
    binomial_quantile,
    dirichlet_quantiles,
    negative_binomial_quantile,
    parse,
)

US = np.concatenate([[1e-12, 1e-6, 1e-3], np.linspace(0.01, 0.99, 99), [0.999, 1 - 1e-6, 1 - 1e-9]])


def scaled_beta(low, mode, high):
    """PERT as its definition has it: beta, scaled, with mean (low + 4 mode + high) / 6."""
    mean = (low + 4 * mode + high) / 6
    a = 6 * (mean - low) / (high - low)
    return stats.beta(a, 6 - a, loc=low, scale=high - low)


@pytest.mark.parametrize(
    ("spec", "reference"),
    [
        (["pert", 1, 3, 8], scaled_beta(1, 3, 8)),
        (["pert", 0.1, 0.18, 0.63], scaled_beta(0.1, 0.18, 0.63)),
        (["pert", 2, 2, 8], scaled_beta(2, 2, 8)),
        (["pert", -1, 8, 8], scaled_beta(-1, 8, 8)),
        (["lognormal", 3.0, 0.6], stats.lognorm(0.6, scale=3.0)),
        (["beta", 13.6, 6.4], stats.beta(13.6, 6.4)),
        (["beta", 0.5, 0.5], stats.beta(0.5, 0.5)),
        (["uniform", 0.1, 0.3], stats.uniform(0.1, 0.2)),
        (["triangular", 0.1, 0.35, 0.8], stats.triang(0.25 / 0.7, loc=0.1, scale=0.7)),
        (["triangular", 2, 2, 3], stats.triang(0, loc=2, scale=1)),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_quantiles(spec, reference):
    ours = parse(spec)
    np.testing.assert_allclose([ours.quantile(u) for u in US], reference.ppf(US), rtol=1e-9, atol=1e-12)
    assert (ours.low, ours.high) == pytest.approx(reference.support(), abs=POSITIVE)


def test_integers():
    ours = parse(["integers", 40, 45])
    grid = (np.arange(6000) + 0.5) / 6000
    np.testing.assert_array_equal([ours.quantile(u) for u in grid], stats.randint(40, 46).ppf(grid))


def test_choice():
    """In order of value, however it is written, so that a larger uniform never gives a smaller value."""
    ours = parse(["choice", 7500, 0.45, 5000, 0.4, 10000, 0.15])
    grid = (np.arange(2000) + 0.5) / 2000
    values = np.array([ours.quantile(u) for u in grid])
    assert (np.diff(values) >= 0).all()
    assert [np.mean(values == v) for v in (5000, 7500, 10000)] == [0.4, 0.45, 0.15]
    assert (ours.low, ours.high, ours.whole) == (5000, 10000, True)
    assert not parse(["choice", 1.5, 1]).whole


def test_lognormal_with_cap():
    ours, plain = parse(["lognormal", 1400, 2.05, 64000]), stats.lognorm(2.05, scale=1400)
    values = np.array([ours.quantile(u) for u in US])
    np.testing.assert_allclose(values, np.minimum(plain.ppf(US), 64000), rtol=1e-9)
    assert values.max() == ours.high == 64000
    assert parse(["lognormal", 5, 0]).quantile(0.9) == 5


@pytest.mark.parametrize("spec", [["pert", 1, 3, 8], ["lognormal", 3, 0.6], ["beta", 2, 3], ["uniform", 0, 2]], ids=str)
def test_extreme_uniforms_stay_inside_the_support(spec):
    distribution = parse(spec)
    for u in (2.0**-53, 1 - 2.0**-52):
        assert distribution.low <= distribution.quantile(u) <= distribution.high
        assert np.isfinite(distribution.quantile(u))
    assert [parse(["integers", 1, 6]).quantile(u) for u in (2.0**-53, 1 - 2.0**-52)] == [1, 6]


@given(
    st.sampled_from(
        [
            ["pert", 1, 3, 8],
            ["lognormal", 3, 0.6, 9],
            ["beta", 2, 3],
            ["uniform", 0, 2],
            ["integers", 1, 9],
            ["triangular", 0, 1, 3],
            ["choice", 3, 0.3, 1, 0.7],
        ]
    ),
    st.floats(1e-9, 1 - 1e-9),
    st.floats(1e-9, 1 - 1e-9),
)
def test_a_larger_uniform_never_gives_a_smaller_value(spec, u, v):
    distribution = parse(spec)
    assert distribution.quantile(min(u, v)) <= distribution.quantile(max(u, v))


def test_written_as_it_is_read():
    assert str(parse(["pert", 1, 3, 8.5])) == "pert(1, 3, 8.5)"
    assert str(parse(["lognormal", 6, 0.3, 64000])) == "lognormal(6, 0.3, 64000)"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([], "one of pert, lognormal, beta, uniform, triangular, choice, integers"),
        (["gamma", 1, 2], "one of pert, lognormal, beta, uniform, triangular, choice, integers"),
        ([1, 2, 3], "one of"),
        (["pert", 5, 3, 8], "low <= mode <= high"),
        (["pert", 1, 9, 8], "low <= mode <= high"),
        (["pert", 3, 3, 3], "low < high"),
        (["pert", 1, 3], "pert"),
        (["pert", 1, 3, 8, 9], "pert"),
        (["pert", "1", 3, 8], "numbers up to"),
        (["beta", True, 2], "numbers up to"),
        (["beta", float("nan"), 2], "numbers up to"),
        (["uniform", 0, float("inf")], "numbers up to"),
        (["beta", 0, 2], "a > 0 and b > 0"),
        (["uniform", 2, 2], "low < high"),
        (["lognormal", 0, 1], "median >= 1e-06"),
        (["lognormal", 1, -1], "sigma >= 0"),
        (["lognormal", 10, 1, 5], "cap >= median"),
        (["integers", 1.5, 3], "whole numbers"),
        (["integers", 3, 1], "low < high"),
        (["triangular", 1, 3, 2], "low <= mode <= high"),
        (["choice", 1, 0.5, 2], "pairs of value and weight"),
        (["choice"], "pairs of value and weight"),
        (["choice", 1, 0.5, 2, 0.4], "weights that sum to 1"),
        (["choice", 1, 1.5, 2, -0.5], "weights that sum to 1"),
    ],
    ids=str,
)
def test_what_is_not_a_distribution(spec, words):
    with pytest.raises(ValueError, match=words):
        parse(spec)


def test_every_kind_is_tested():
    assert set(KINDS) == {"pert", "lognormal", "beta", "uniform", "triangular", "choice", "integers"}


@pytest.mark.parametrize("n", [1, 2, 5, 30, 100, 999, 1000, 1001, 5000, 100_000])
@pytest.mark.parametrize("p", [1e-9, 1e-4, 0.001, 0.02, 0.3, 0.5, 0.500001, 0.7, 0.98, 0.9999, 1 - 1e-9])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the reference
def test_binomial(n, p):
    """On generic uniforms: at a jump of the distribution function the last bit decides, and either side is right."""
    us = np.concatenate([np.random.default_rng(1).random(40), [1e-5 + 1e-8 / 3, 1 - 1e-5 - 1e-8 / 3]])
    np.testing.assert_array_equal([binomial_quantile(u, n, p) for u in us], stats.binom.ppf(us, n, p))


@pytest.mark.parametrize(("n", "p", "value"), [(0, 0.5, 0), (-1, 0.5, 0), (7, 0.0, 0), (7, 1.0, 7), (5000, 1.0, 5000)])
@pytest.mark.parametrize("u", [1e-12, 0.5, 1 - 1e-12])
def test_binomial_of_nobody_and_of_certainties(n, p, value, u):
    assert binomial_quantile(u, n, p) == value


@given(st.floats(1e-300, 1 - 2**-52), st.integers(0, 3000), st.floats(0, 1))
def test_binomial_is_a_number_of_people(u, n, p):
    value = binomial_quantile(u, n, p)
    assert isinstance(value, int)
    assert 0 <= value <= n


@pytest.mark.parametrize(
    ("mean", "sd"), [(1, 1.5), (5, 3), (35, 25), (48, 25), (113, 25), (300, 25), (600, 25), (75, 9), (800, 30)]
)
def test_negative_binomial(mean, sd):
    p = mean / sd**2
    us = np.concatenate([np.random.default_rng(1).random(200), [1e-6, 1 - 1e-6]])
    reference = stats.nbinom(mean * p / (1 - p), p)
    assert (reference.mean(), reference.std()) == (pytest.approx(mean), pytest.approx(sd))
    np.testing.assert_array_equal([negative_binomial_quantile(u, mean, sd) for u in us], reference.ppf(us))


def test_negative_binomial_without_spread():
    assert [negative_binomial_quantile(u, 210, 0) for u in (0.001, 0.5, 0.999)] == [210] * 3
    assert negative_binomial_quantile(0.999, 0, 25) == 0
    assert negative_binomial_quantile(0.5, 47.6, 0) == 48


def test_negative_binomial_ends_at_the_last_uniform():
    assert negative_binomial_quantile(1 - 2**-52, 48, 25) < 1100


def test_dirichlet():
    weights, us = [9.0, 12.0, 15.0, 24.0], [0.2, 0.9, 0.5, 0.4]
    gammas = stats.gamma.ppf(us, weights)
    np.testing.assert_allclose(dirichlet_quantiles(us, weights), gammas / gammas.sum(), rtol=1e-12)


def test_beta_around_a_mean():
    us = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose([beta_mean_quantile(u, 0.68, 20) for u in us], stats.beta.ppf(us, 13.6, 6.4), rtol=1e-9)
    assert [beta_mean_quantile(0.3, mean, 20) for mean in (0.0, 1.0)] == [0.0, 1.0]


def test_normal_quantile_of_the_lognormal_is_exact_enough():
    u = 1e-9
    assert log(parse(["lognormal", 1, 1]).quantile(u)) == pytest.approx(stats.norm.ppf(u), rel=1e-12)
    assert parse(["lognormal", 2, 1]).quantile(0.5) == pytest.approx(2 * exp(0), rel=1e-12)
