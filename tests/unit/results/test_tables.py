"""From outcomes to Arrow tables."""

from datetime import date

import numpy as np
import pytest

from sim.model.record import MONTHLY
from sim.results.tables import build, with_scenario
from sim.study.montecarlo import Outcome, replicate
from tests.helpers import study

START = date(2025, 11, 14)


@pytest.fixture(scope="module")
def outcomes():
    world = study(end="2026-03-31")
    return [replicate(world, replication) for replication in (4, 7)]


@pytest.fixture(scope="module")
def tables(outcomes):
    return build(outcomes, START)


def test_rows_come_in_the_order_of_the_outcomes(tables):
    for table in tables.values():
        numbers = table["replication"].to_pylist()
        assert numbers == sorted(numbers)
        assert set(numbers) == {4, 7}


def test_monthly_is_the_record_laid_out(tables, outcomes):
    monthly = tables["monthly"]
    outcome = outcomes[1]
    for r, (kind, region) in enumerate(outcome.places):
        for d in (0, len(outcome.dates) - 1):
            (row,) = (
                row
                for row in monthly.to_pylist()
                if (row["replication"], row["kind"], row["region"], row["month_end"])
                == (7, kind, region, outcome.dates[d])
            )
            assert [row[name] for name in MONTHLY] == pytest.approx(list(outcome.monthly[r, d]))
    assert len(monthly) == 2 * len(outcome.places) * len(outcome.dates)


def test_the_scenario_is_the_first_column(tables):
    table = with_scenario(tables["sites"], 3)
    assert table.column_names == ["scenario", *tables["sites"].column_names]
    assert set(table["scenario"].to_pylist()) == {3}


def test_site_times_are_dates(tables, outcomes):
    sites = tables["sites"].to_pylist()
    times = np.concatenate([outcome.sites["applied"] for outcome in outcomes])
    assert [row["applied"] for row in sites] == [
        None if np.isnan(time) else date.fromordinal(START.toordinal() + int(np.floor(time))) for time in times
    ]
    assert date(2025, 11, 3) in {row["applied"] for row in sites}


def test_what_did_not_happen_is_null_and_never_nan(tables):
    for table in tables.values():
        for name in table.column_names:
            values = table[name].to_pylist()
            assert not any(isinstance(value, float) and np.isnan(value) for value in values), name
    assert None in tables["sites"]["closed"].to_pylist()
    assert None in tables["sites"]["fit_out_wait_days"].to_pylist()


def test_a_share_of_nobody_is_null():
    row = {"women_share@2026-01-01": float("nan"), "reached.goal": None}
    runs = build([Outcome(0, row, [], [], None, None)], START)["runs"]
    assert runs.to_pylist() == [{"replication": 0, "error": None, "women_share@2026-01-01": None, "reached.goal": None}]


def test_errors_are_their_last_line():
    runs = build([Outcome(3, {}, [], [], None, None, "Traceback\n  x\nValueError: bad\n")], START)["runs"]
    assert runs.to_pylist() == [{"replication": 3, "error": "ValueError: bad"}]


def test_only_the_tables_that_were_kept(outcomes):
    plain = [Outcome(o.replication, o.row, o.dates, o.places, None, None) for o in outcomes]
    assert set(build(plain, START)) == {"runs"}
