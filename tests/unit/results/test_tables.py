"""From outcomes to Arrow tables."""

from datetime import date

import numpy as np
import pytest

from sim.model.record import MONTHLY
from sim.results.tables import build
from sim.study.montecarlo import Outcome, run_study
from tests.helpers import config

START = date(2025, 11, 14)


@pytest.fixture(scope="module")
def outcomes():
    cfg = config({"replications": 2, "sweep": {"grid": {"rollout.committee": [3, 80]}}}, end="2026-03-31")
    return run_study(cfg).by_key


@pytest.fixture(scope="module")
def tables(outcomes):
    return build(outcomes, START)


def test_rows_are_sorted_by_scenario_and_replication(tables, outcomes):
    for table in tables.values():
        keys = list(zip(table["scenario"].to_pylist(), table["replication"].to_pylist(), strict=True))
        assert keys == sorted(keys)
        assert set(keys) == set(outcomes)


def test_monthly_is_the_record_laid_out(tables, outcomes):
    monthly = tables["monthly"]
    outcome = outcomes[1, 0]
    for r, (kind, region) in enumerate(outcome.places):
        for d in (0, len(outcome.dates) - 1):
            (row,) = (
                row
                for row in monthly.to_pylist()
                if (row["scenario"], row["replication"], row["region"], row["month_end"])
                == (1, 0, region, outcome.dates[d])
            )
            assert row["kind"] == kind
            assert [row[name] for name in MONTHLY] == pytest.approx(list(outcome.monthly[r, d]))
    assert len(monthly) == 4 * len(outcome.places) * len(outcome.dates)


def test_site_times_are_dates(tables, outcomes):
    sites = tables["sites"].to_pylist()
    times = np.concatenate([outcome.sites["applied"] for outcome in outcomes.values()])
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
    runs = build({(0, 0): Outcome(row, [], [], None, None)}, START)["runs"]
    assert runs.to_pylist() == [
        {"scenario": 0, "replication": 0, "error": None, "women_share@2026-01-01": None, "reached.goal": None}
    ]


def test_errors_are_their_last_line():
    runs = build({(0, 3): Outcome({}, [], [], None, None, "Traceback\n  x\nValueError: bad\n")}, START)["runs"]
    assert runs.to_pylist() == [{"scenario": 0, "replication": 3, "error": "ValueError: bad"}]


def test_only_the_tables_that_were_kept(outcomes):
    plain = {key: Outcome(o.row, o.dates, o.places, None, None) for key, o in outcomes.items()}
    assert set(build(plain, START)) == {"runs"}
