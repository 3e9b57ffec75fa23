"""Dates of reaching a goal, with runs that never do."""

from datetime import date

import numpy as np
import pytest

from sim.analysis.intervals import proportion
from sim.analysis.reached import median_date, reached_by

REACHED = np.array(["2027-03-31", "NaT", "2027-01-31", "2027-03-31", "NaT"], dtype="datetime64[D]")


def test_censored_distribution_by_hand():
    grid = ["2026-12-31", "2027-01-30", "2027-01-31", "2027-03-30", "2027-03-31", "2030-12-31"]
    curve = reached_by(REACHED, grid)
    assert curve.probability.tolist() == [0, 0, 0.2, 0.2, 0.6, 0.6]
    assert curve.n == 5
    for share, low, high in zip(curve.probability, curve.low, curve.high, strict=True):
        assert (low, high) == pytest.approx(proportion(round(5 * share), 5)[1:3], abs=1e-15)


def test_nobody_and_everybody():
    grid = np.array(["2027-12-31"], dtype="datetime64[D]")
    never = reached_by(np.full(400, "NaT", dtype="datetime64[D]"), grid)
    assert (never.probability[0], never.low[0], never.high[0]) == (0, 0, pytest.approx(0.009512, abs=1e-6))
    always = reached_by(np.full(400, "2026-01-31", dtype="datetime64[D]"), grid)
    assert (always.probability[0], always.high[0]) == (1, 1)


def test_no_replications():
    curve = reached_by([], ["2027-12-31"])
    assert np.isnan([*curve.probability, *curve.low, *curve.high]).all()
    assert median_date([]) is None


def test_median_date():
    assert median_date(REACHED) == date(2027, 3, 31)  # 3 of 5
    assert median_date(REACHED[[0, 1, 2, 4]]) == date(2027, 3, 31)  # 2 of 4: exactly half
    assert median_date(REACHED[[0, 1, 2, 1, 4]]) is None  # 2 of 5
    assert median_date([date(2027, 1, 31)]) == date(2027, 1, 31)
    assert median_date([None]) is None


def test_median_date_is_where_the_curve_passes_a_half():
    rng = np.random.default_rng(0)
    for n in range(1, 30):
        days = np.datetime64("2026-01-01") + rng.integers(0, 50, n)
        days[rng.random(n) < 0.4] = np.datetime64("NaT")
        grid = np.datetime64("2026-01-01") + np.arange(50)
        reached_half = grid[reached_by(days, grid).probability >= 0.5]
        assert median_date(days) == (reached_half[0].item() if reached_half.size else None)
