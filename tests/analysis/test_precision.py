"""Looks, what is asked for, and what is said of it; the coverage is for tests/verification."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from sim.analysis.goals import Goal
from sim.analysis.intervals import clopper_pearson
from sim.analysis.precision import FIRST, Precision, hold, in_words, looks, may_stop, read_precision

GOAL = Goal("hubs_250", "hubs_open", 250.0, date(2027, 12, 31), "250 hubs open", held=True)
COLUMN = "hubs_open@2027-12-31"


def table(values, failed=()):
    error = pa.array(["bad" if n in failed else None for n in range(len(values))], pa.string())
    return pa.table({"replication": range(len(values)), "error": error, COLUMN: pa.array(values, pa.float64())})


@pytest.mark.parametrize(
    ("budget", "expected"),
    [(1, [1]), (50, [50]), (51, [50, 51]), (400, [50, 100, 200, 400]), (401, [50, 100, 200, 400, 401])],
)
def test_looks_double_up_to_the_budget(budget, expected):
    assert looks(budget) == expected


@pytest.mark.parametrize("n", [1, 7, 50])
def test_the_exact_interval_is_scipys(n):
    low, high = clopper_pearson(np.arange(n + 1), n, 0.98)
    ends = [stats.binomtest(k, n).proportion_ci(0.98, method="exact") for k in range(n + 1)]
    assert low == pytest.approx([end.low for end in ends])
    assert high == pytest.approx([end.high for end in ends])
    assert np.isnan(clopper_pearson(0, 0)[0])


def test_no_runs_above_successes():
    with pytest.raises(ValueError, match="between 0 and n = 3"):
        clopper_pearson(4, 3)


def test_a_mean_pays_for_every_look():
    asked = Precision(None, COLUMN, 1.0, 0.95, 400)
    x = np.random.default_rng(1).normal(100, 20, 60)
    interval = stats.ttest_1samp(x, 0).confidence_interval(1 - 0.05 / 4)
    assert asked.estimate(table(x))[:3] == pytest.approx((x.mean(), interval.low, interval.high))


@pytest.mark.parametrize(("half_width", "expected"), [(0.02, [400]), (0.06, [100, 200, 400]), (0.15, [50])])
def test_a_chance_pays_only_for_looks_at_which_one_may_stop(half_width, expected):
    asked = Precision(GOAL, COLUMN, half_width, 0.95, 400)
    assert may_stop(asked, asked.each) == expected
    assert asked.each >= 1 - 0.05 / len(expected)


@pytest.mark.parametrize("half_width", [0.01, 0.03, 0.06, 0.1, 0.3])
def test_a_larger_budget_never_stops_earlier(half_width):
    """So that a run can be extended: whatever is there is needed."""
    confidences = [Precision(GOAL, COLUMN, half_width, 0.95, budget).each for budget in (60, 100, 400, 1000, 5000)]
    assert confidences == sorted(confidences)


def test_what_failed_does_not_count_and_nothing_else_is_made():
    asked = Precision(None, COLUMN, 1e-9, 0.95, 400)
    found = asked.estimate(table([5.0, 99.0, 5.0], failed=[1]))
    assert (found.value, found.n) == (5.0, 2)
    assert asked.enough(table([5.0, 5.0]))  # no spread, as precise as can be
    assert asked.enough(table([1.0, 2.0], failed=[0, 1]))  # nothing works here: no use in going on
    assert not asked.enough(table([1.0, 2.0]))
    assert not asked.enough(table([1.0]))


def test_what_is_asked_about():
    config = {"precision": {"metric": "hubs_250", "half_width": 0.1}, "only": None, "replications": 200}
    assert read_precision(config, [GOAL], "2028-01-01").goal == GOAL
    config["precision"]["metric"] = "jobs_supported"
    assert read_precision(config, [GOAL], "2028-01-01")[:2] == (None, "jobs_supported@2028-01-01")
    config["precision"]["metric"] = COLUMN
    assert read_precision(config, [GOAL], "2028-01-01").column == COLUMN
    assert read_precision(config | {"only": 3}, [GOAL], "2028-01-01") is None
    assert read_precision(config | {"precision": None}, [GOAL], "2028-01-01") is None


def test_the_summary_gets_the_interval_that_holds():
    summary = {
        "goals": [{"name": "hubs_250", "low": 0.1, "high": 0.2}, {"name": "other", "low": 0.1, "high": 0.2}],
        "metrics": {"hubs_open": {"date": "2027-12-31", "low": 1.0, "high": 2.0}},
    }
    asked = Precision(GOAL, COLUMN, 0.1, 0.95, 400)
    found = asked.estimate(table([300.0] * 30 + [0.0] * 70))
    hold(summary, asked, found)
    assert [goal["low"] for goal in summary["goals"]] == [found.low, 0.1]
    asked = asked._replace(goal=None)
    hold(summary, asked, found)
    assert summary["metrics"]["hubs_open"]["high"] == found.high


def test_in_words():
    asked = Precision(GOAL, COLUMN, 0.1, 0.95, 400)
    good, poor = (asked.estimate(table([300.0] * 30 + [0.0] * n)) for n in (300, 20))
    assert in_words(asked, [good], ["a"], [330]).startswith("Precision: after 330 runs the chance of 250 hubs open on ")
    said = in_words(asked, [poor], ["a"], [50])
    assert "the budget of 400 ended before it was within 10 points" in said
    said = in_words(asked, [good, poor], ["few", "many"], [330, 50])
    assert "380 runs were made of at most 800, 50 to 330 a scenario" in said
    assert "before 1 of 2 scenarios were so precise (many; at worst" in said
    assert FIRST == 50
