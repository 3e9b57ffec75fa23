"""Shares and means of runs in groups: as of independent runs where each is by itself, wider where they are alike."""

import numpy as np
import pytest

from sim.analysis import groups, intervals


def alike(seed, number=40, size=10):
    """Chances by group from 0.1 to 0.9, half on average; groups of unequal size."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(number), rng.integers(size // 2, 3 * size // 2 + 1, number))
    return rng.random(len(group)) < rng.uniform(0.1, 0.9, number)[group], group


@pytest.mark.parametrize("hits", [0, 3, 30])
def test_runs_by_themselves_are_independent_runs(hits):
    y = np.arange(30) < hits
    assert groups.share(y, np.arange(30)) == pytest.approx(intervals.proportion(hits, 30))
    values = np.random.default_rng(1).standard_normal(30)
    assert groups.mean(values, np.arange(30)) == pytest.approx(intervals.mean(values))


def test_the_same_run_many_times_is_one_run():
    """Of 25 groups of 12 equal runs as much is known as of 25 runs."""
    y, group = np.repeat(np.arange(25) < 10, 12), np.repeat(np.arange(25), 12)
    one = groups.share(y, group)
    assert (one.value, one.n) == (0.4, 300)
    assert groups.design_effect(y - 0.4, group) == pytest.approx(12, rel=0.05)
    assert one[1:3] == pytest.approx(intervals.proportion(10, 25)[1:3], abs=0.015)
    values = np.random.default_rng(1).standard_normal(25)
    assert groups.mean(np.repeat(values, 12), group)[1:3] == pytest.approx(intervals.mean(values)[1:3], abs=1e-9)


def test_what_says_nothing_about_spread_counts_groups():
    for hits in (np.zeros(60, bool), np.ones(60, bool)):
        low, high = intervals.wilson(hits[:6].sum(), 6)
        one = groups.share(hits, np.repeat(np.arange(6), 10))
        assert one.low <= low
        assert one.high >= high
    one = groups.share(np.arange(60) < 30, np.zeros(60, int))
    assert one.high - one.low > 0.8
    assert np.isnan(groups.share(np.zeros(0, bool), np.zeros(0, int)).value)
    assert np.isnan(groups.mean(np.arange(5.0), np.zeros(5, int)).low)


def test_intervals_cover():
    """400 sets of 40 groups: 95% of the intervals hold one half, where those of independent runs hold it in 4 of 5."""
    found = []
    for seed in range(400):
        y, group = alike(seed)
        each = (groups.share(y, group), groups.mean(y * 1.0, group), intervals.proportion(int(y.sum()), len(y)))
        found.append([one.low <= 0.5 <= one.high for one in each])
    share, mean, independent = np.mean(found, axis=0)
    assert 0.92 <= share <= 0.98
    assert 0.92 <= mean <= 0.98
    assert independent <= 0.86


def test_members_are_the_rows_of_each_group():
    group = np.array([7, 2, 7, 2, 5])
    assert [rows.tolist() for rows in groups.members(group)] == [[1, 3], [4], [0, 2]]
    assert groups.numbered(group).tolist() == [2, 0, 2, 0, 1]
