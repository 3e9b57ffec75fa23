"""EVPPI against closed forms."""

import numpy as np
import pytest
from scipy.stats import norm

from sim.analysis.value_of_information import DEGREES, EVERYTHING, basis, columns, evppi, interplay


def closed(mean, sd):
    """E[max(0, X)] - max(0, E[X]) of a normal X: what knowing it is worth where the other option is worth nothing."""
    return mean * norm.cdf(mean / sd) + sd * norm.pdf(mean / sd) - max(0.0, mean)


def by_run(inputs, values, *rest):
    """EVPPI where each run is a group of its own."""
    return evppi(inputs, values, np.arange(len(values)), *rest)


def two_options(n=4000, mean=0.3, effects=(1.0, 0.4, 0.0), luck=2.0, seed=1):
    rng = np.random.default_rng(seed)
    inputs = {f"x{i}": rng.standard_normal(n) for i in range(len(effects))}
    value = mean + sum(b * x for b, x in zip(effects, inputs.values(), strict=True)) + luck * rng.standard_normal(n)
    return inputs, np.column_stack([np.zeros(n), value])


def test_two_normal_options():
    """Luck of twice the size of what matters most neither raises the values nor hides them."""
    found = {one.name: one for one in by_run(*two_options(), 100, np.random.default_rng(1))}
    assert list(found) == ["x0", "x1", "x2", EVERYTHING]
    for name, sd in (("x0", 1.0), ("x1", 0.4), (EVERYTHING, np.hypot(1, 0.4))):
        one = found[name]
        assert one.value == pytest.approx(closed(0.3, sd), abs=0.045)
        assert one.low <= closed(0.3, sd) <= one.high
    assert found["x2"].value < 0.01
    assert found["x0"].changes == pytest.approx(norm.cdf(-0.3), abs=0.06)


def test_taking_off_the_bias_brings_it_nearer():
    """A small value on few runs: the maximum of noisy fits is too high."""
    some = [by_run(*two_options(400, 0.5, (0.3,), seed=seed), 50, np.random.default_rng(seed))[0] for seed in range(40)]
    raw, corrected = (np.mean([getattr(one, name) for one in some]) for name in ("uncorrected", "value"))
    assert closed(0.5, 0.3) < corrected < raw
    assert all(0 <= one.low <= one.value <= one.high for one in some)


def test_an_option_that_is_always_best_leaves_nothing_to_know():
    inputs, values = two_options(500, mean=20.0)
    assert {(one.value, one.low, one.high) for one in by_run(inputs, values, 100, np.random.default_rng(1))} == {
        (0, 0, 0)
    }


def test_what_the_options_have_in_common_is_worth_nothing():
    """Shared luck cancels: only differences between the options count."""
    inputs, values = two_options()
    shared = 50 * np.random.default_rng(7).standard_normal((len(values), 1))
    alone, both = (
        by_run({name: x[:500] for name, x in inputs.items()}, one, 50, np.random.default_rng(1))
        for one in (values[:500], (values + shared)[:500])
    )
    for one, other in zip(alone, both, strict=True):
        assert other.value == pytest.approx(one.value, abs=1e-9)


def test_a_bent_effect():
    """The option is better in the middle only: a straight line would see nothing."""
    rng = np.random.default_rng(1)
    x = rng.random(4000)
    value = np.cos(2 * np.pi * x) + rng.standard_normal(4000)
    one = by_run({"x": x}, np.column_stack([np.zeros(4000), value]), 100, np.random.default_rng(1))[0]
    assert one.value == pytest.approx(1 / np.pi, abs=0.03)  # mean of the positive part of a cosine


def test_what_only_two_together_decide():
    """A product of two inputs: neither alone is worth a thing, both are worth half the mean size of the product."""
    rng = np.random.default_rng(1)
    inputs = {f"x{i}": rng.uniform(-1, 1, 4000) for i in range(6)}
    value = inputs["x1"] * inputs["x4"] + rng.standard_normal(4000)
    *each, everything = by_run(inputs, np.column_stack([np.zeros(4000), value]), 100, np.random.default_rng(1))
    assert everything.value == pytest.approx(1 / 8, abs=0.02)
    assert everything.low <= 1 / 8 <= everything.high
    assert max(one.value for one in each) < 0.02


def test_pairs_are_rarely_found_by_chance():
    """40 additive worlds of 15 pairs: a 5% alarm in all together, 2 expected, more than 6 in 1 of 200."""
    kept = []
    for seed in range(40):
        inputs, values = two_options(400, effects=(1.0, 0.4, 0.0, 0.0, 0.0, 0.0), seed=seed)
        alone = np.column_stack([np.ones(400), *(basis(x, 3) for x in inputs.values())])
        kept.append(interplay(inputs.values(), alone, values, np.arange(400)).shape[1])
    assert sum(number > 0 for number in kept) <= 6


@pytest.mark.parametrize("degree", DEGREES)
def test_a_basis_depends_on_order_alone(degree):
    x = np.random.default_rng(1).lognormal(size=50)
    columns = basis(x, degree)
    assert columns.shape == (50, degree)
    np.testing.assert_allclose(columns, basis(np.log(x), degree))
    assert np.linalg.matrix_rank(np.column_stack([np.ones(50), columns])) == degree + 1


def in_groups(seed, effect, number=80, size=8, luck=1.0):
    """Two options that differ by an input and luck that the runs of a group share, and by luck of their own."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(number), size)
    x = rng.standard_normal((2, number))[:, group]
    value = 0.3 + effect * x[0] + luck * rng.standard_normal(number)[group] + rng.standard_normal(len(group))
    return {"x": x[0], "other": x[1]}, np.column_stack([np.zeros(len(group)), value]), group


def test_intervals_by_group_cover():
    """40 sets of 80 groups: 95% intervals hold the closed form. By runs they would in less than three of four."""
    covered = []
    for seed in range(40):
        inputs, values, group = in_groups(seed, 1.0)
        found = [
            next(one for one in evppi(inputs, values, some, 40, np.random.default_rng(seed)) if one.name == "x")
            for some in (group, np.arange(len(group)))
        ]
        covered.append([one.low <= closed(0.3, 1.0) <= one.high for one in found])
    by_group, by_run = np.mean(covered, axis=0)
    assert by_group >= 0.87
    assert by_run <= 0.75


def test_luck_of_groups_is_not_worth_finding_out():
    """No input tells: luck that the runs of a group share vouches neither for a curve nor for a pair."""
    found, kept = [], []
    for seed in range(12):
        inputs, values, group = in_groups(seed, 0.0)
        rng = np.random.default_rng(100 + seed)
        inputs |= {f"z{i}": rng.standard_normal(80)[group] for i in range(4)}
        found.append(evppi(inputs, values, group, 40, rng))
        alone = np.column_stack([np.ones(len(group)), *(basis(x, 1) for x in inputs.values())])
        kept.append([interplay(inputs.values(), alone, values, one).shape[1] for one in (group, np.arange(len(group)))])
    assert sum(one.low > 0 for some in found for one in some) <= 5  # of 84
    by_group, by_run = np.sum(np.array(kept) > 0, axis=0)
    assert by_group <= 3
    assert by_run >= 6
    degrees = [columns(x, values, group).shape[1] - 1 for x in inputs.values()]
    assert np.mean(degrees) < 3
