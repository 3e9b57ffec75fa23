"""Goals that must hold on their date, and what the tables say of systems and dates."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from sim.analysis.goals import read_goals
from sim.analysis.reached import held_on
from sim.analysis.systems import deadline
from sim.analysis.tables import has_paths, met_by_date, of_region, simulated

DATES = [date(2027, 11, 30), date(2027, 12, 31), date(2028, 1, 31)]
SHARES = np.array([[0.3, 0.1, 0.2], [np.nan, 0.2, np.nan], [0.19, 0.25, 0.5], [0.2, np.nan, 0.2]])


def test_a_held_goal_can_be_lost_again():
    curve = held_on(SHARES, 0.2, DATES)
    assert curve.probability.tolist() == [0.5, 0.5, 0.75]
    wilson = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert (curve.low[2], curve.high[2], curve.n) == (pytest.approx(wilson.low), pytest.approx(wilson.high), 4)
    assert np.isnan(held_on(np.empty((0, 3)), 0.2, DATES).probability).all()


def test_a_held_curve_agrees_with_the_count_of_runs_on_the_date():
    share = [None if np.isnan(x) else x for x in SHARES[:, 1]]
    runs = pa.table({"women_share@2027-12-31": pa.array(share, pa.float64())})
    (goal,) = read_goals({"w": {"metric": "women_share", "level": 0.2, "by": "2027-12-31", "held": True}})
    met, n = met_by_date(runs, goal)
    assert met / n == held_on(SHARES, goal.level, DATES).probability[1]
    assert goal.when == "on 31 December 2027"
    assert goal._replace(held=False).when == "by 31 December 2027"


def test_deadline():
    claims = {"hub": {"by": "2027-06-30"}, "park": {"by": date(2027, 12, 31)}}
    assert deadline(claims, DATES) == date(2027, 12, 31)
    assert deadline(claims, [date(2025, 1, 1), date(2025, 11, 14)]) == date(2025, 11, 14)
    assert deadline(claims, [date(2028, 1, 1), date(2027, 12, 30)]) == date(2027, 12, 30)  # the earlier of two
    assert deadline({}, DATES) == DATES[-1]


def test_systems_and_regions_of_tables():
    names = ["scenario", "sites_open.hub@2027-12-31", "sites_open.a_park@2027-12-31", "sites_open.hub@2027-02-28"]
    assert simulated(pa.table({name: [1.0] for name in [*names, "seats.other@2027-12-31"]})) == ["hub", "a_park"]
    monthly = pa.table({"region": ["A", "B", "A"], "open": [1, 2, 3], "women": [0, 0, 0]})
    assert of_region(monthly, "A").column("open").to_pylist() == [1, 3]
    known = {"hubs_open": True, "sites_open.hub": True, "women_share.hub": True, "balance_rs_million": False}
    assert {metric: has_paths(monthly, metric) for metric in known} == known
