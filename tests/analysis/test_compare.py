"""Paired comparisons: against scipy, and their error rates."""

from datetime import date
from math import inf

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from sim.analysis.compare import compare, verdict
from sim.analysis.goals import Goal

GOAL = Goal("jobs", "jobs_supported", 100.0, date(2027, 12, 31), "100 jobs", held=True)
COLUMN = "jobs_supported@2027-12-31"


def table(values, numbers=None, failed=()):
    numbers = list(range(len(values))) if numbers is None else numbers
    error = pa.array(["bad" if n in failed else None for n in numbers], pa.string())
    return pa.table(
        {"replication": pa.array(numbers, pa.int32()), "error": error, COLUMN: pa.array(values, pa.float64())}
    )


@pytest.fixture
def sides():
    rng = np.random.default_rng(3)
    x = rng.normal(100, 20, 80)
    return x, x + rng.normal(3, 4, 80)


def test_means_are_those_of_the_paired_t_test(sides):
    x, y = sides
    (one,) = compare(table(x), table(y), [COLUMN], [])
    reference = stats.ttest_rel(y, x)
    assert one.difference == pytest.approx(np.mean(y - x))
    assert one.p == pytest.approx(reference.pvalue)
    interval = reference.confidence_interval()
    assert (one.low, one.high) == pytest.approx((interval.low, interval.high))
    unpaired = np.sqrt(np.var(x, ddof=1) + np.var(y, ddof=1))
    assert one.narrower == pytest.approx(unpaired / np.std(y - x, ddof=1))
    assert one.distinct
    assert one.needed == 0


def test_intervals_are_wider_when_more_is_compared(sides):
    x, y = sides
    alone, one_of_20 = (compare(table(x), table(y), [COLUMN], [], m)[0] for m in (1, 20))
    interval = stats.ttest_rel(y, x).confidence_interval(1 - 0.05 / 20)
    assert (one_of_20.low, one_of_20.high) == pytest.approx((interval.low, interval.high))
    assert one_of_20.low < alone.low


@pytest.mark.parametrize("shift", [0.5, 1.4, 1.5])
def test_what_would_tell_is_more_than_what_did_not(shift):
    """Of few pairs too, whose t interval is wider than the normal approximation has it."""
    noise = np.random.default_rng(8).normal(0, 3, 8)
    values = (noise - noise.mean()) / noise.std(ddof=1) + shift
    (one,) = compare(table(np.zeros(8)), table(values), [COLUMN], [], 20)
    assert not one.distinct
    assert one.needed > 8


def test_pairs_are_found_by_their_number(sides):
    """In any order, without those that one side lacks or failed."""
    x, y = sides
    order = np.random.default_rng(1).permutation(80)
    shuffled = table(y[order], numbers=order.tolist(), failed=(5,))
    longer = table([*x, 0, 0], failed=(7,))
    (one,) = compare(longer, shuffled, [COLUMN], [])
    kept = [i for i in range(80) if i not in (5, 7)]
    assert one.n == 78
    assert one.difference == pytest.approx(np.mean((y - x)[kept]))
    with pytest.raises(ValueError, match="no replication"):
        compare(table([1.0], [3]), table([1.0], [4]), [COLUMN], [])


def test_values_that_one_side_lacks_are_left_out():
    (one,) = compare(table([1.0, None, 3.0]), table([2.0, 5.0, None]), [COLUMN], [])
    assert (one.n, one.difference) == (1, 1.0)
    (none,) = compare(table([None]), table([1.0]), [COLUMN], [])
    assert "no pair of runs" in verdict(none)


def test_chances_are_compared_pair_by_pair():
    """60 pairs: 12 gain the goal, 2 lose it."""
    x = [0] * 12 + [200] * 2 + [0] * 26 + [200] * 20
    y = [200] * 12 + [0] * 2 + [0] * 26 + [200] * 20
    (one,) = compare(table(x), table(y), [], [GOAL])
    assert (one.a, one.b, one.difference) == (22 / 60, 32 / 60, pytest.approx(10 / 60))
    assert one.p == pytest.approx(stats.binomtest(2, 14, 0.5).pvalue)
    shift, n = 10 / 62, 62
    half = stats.norm.isf(0.025) * np.sqrt(((12.5 + 2.5) / n - shift**2) / n)
    assert (one.low, one.high) == pytest.approx((shift - half, shift + half))


def test_nothing_differs(sides):
    x, _ = sides
    mean, chance = compare(table(x), table(x), [COLUMN], [GOAL])[::-1]
    for one in (mean, chance):
        assert (one.difference, one.distinct, one.p) == (0, False, 1)
        assert one.needed == inf
        assert verdict(one).endswith("the same in all 80 pairs")


def test_words():
    rng = np.random.default_rng(3)
    x, noise = rng.normal(1000, 50, 100), rng.normal(0, 30, 100)
    more, less = (compare(table(x), table(x + shift + noise), [COLUMN], [])[0] for shift in (100, -100))
    assert verdict(more).startswith("jobs supported: 1")
    assert " more (" in verdict(more)
    assert " less (" in verdict(less)
    (unclear,) = compare(table(x), table(x + 1 + noise - noise.mean()), [COLUMN], [])
    assert "not distinguishable at n = 100" in verdict(unclear)
    assert "would tell" in verdict(unclear)
    assert 5_000 < unclear.needed < 9_000  # (1.96 + 0.84)^2 30^2


@pytest.mark.parametrize("m", [1, 4])
def test_pairs_that_would_tell_a_chance_that_always_differs(m):
    """As many as McNemar's exact test takes, and not one less."""

    def told(n):
        x, y = table(np.zeros(n)), table(np.full(n, 200.0))
        return compare(x, y, [], [GOAL], m)[0]

    few = told(3)
    assert not few.distinct
    assert f"about {few.needed:.0f} would tell" in verdict(few)
    assert told(int(few.needed)).distinct
    assert not told(int(few.needed) - 1).distinct


def test_holm_is_never_stricter_than_bonferroni():
    rng = np.random.default_rng(0)
    x = table(rng.normal(size=50))
    columns = []
    y = table(rng.normal(size=50))
    for i in range(8):
        columns.append(f"x{i}@2027-12-31")
        base = rng.normal(size=50)
        x = x.append_column(columns[-1], pa.array(base))
        y = y.append_column(columns[-1], pa.array(base + rng.normal(0.12 * i, 1, 50)))
    found = compare(x, y, columns, [])
    assert any(one.distinct for one in found)
    for one in found:
        if one.p < 0.05 / 8:
            assert one.distinct
        if one.p >= 0.05:
            assert not one.distinct
