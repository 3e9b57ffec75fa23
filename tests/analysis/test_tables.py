"""From saved tables to arrays."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from sim.analysis.goals import read_goals
from sim.analysis.tables import finished, met_by_date, metric_dates, national, scenarios, values
from sim.analysis.time_use import STAGES, time_use

JAN, FEB = date(2027, 1, 31), date(2027, 2, 28)


def monthly() -> pa.Table:
    rows = [
        {
            "scenario": s,
            "replication": r,
            "kind": kind,
            "region": region,
            "month_end": day,
            "open": 100 * s + 10 * r + k,
        }
        for s in (0, 1)
        for r in (3, 8)
        for k, kind in enumerate(("hub", "park"))
        for region in ("Punjab", "Sindh")
        for day in (JAN, FEB)
    ]
    return pa.Table.from_pylist(rows).set_column(4, "month_end", pa.array([row["month_end"] for row in rows]))


def test_national_sums_kinds_and_regions():
    paths = national(monthly(), "sites_open", scenario=1)
    assert paths.dates.tolist() == [JAN, FEB]
    assert paths.values.tolist() == [[522, 522], [722, 722]]  # 4 x 100 + 4 x 10 r + 2
    assert paths.at(date(2027, 2, 27)).tolist() == [522, 722]
    with pytest.raises(ValueError, match="nothing was recorded"):
        paths.at(date(2027, 1, 30))


def test_national_of_one_system():
    assert national(monthly(), "sites_open.park", scenario=1).values.tolist() == [[262, 262], [362, 362]]
    hubs = national(monthly(), "hubs_open", scenario=1).values.tolist()
    assert hubs == national(monthly(), "sites_open.hub", scenario=1).values.tolist() == [[260, 260], [360, 360]]


def test_a_share_of_women_is_one_of_people():
    table = monthly()
    table = table.append_column("jobs_supported", pa.array([4, 0] * 16)).append_column("women", pa.array([1, 0] * 16))
    share = national(table, "women_share")
    assert share.dates.tolist() == [JAN, FEB]
    np.testing.assert_array_equal(share.values, [[0.25, np.nan]] * 2)


def test_national_does_not_depend_on_row_order():
    table = monthly()
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    assert national(shuffled, "hubs_open").values.tolist() == national(table, "hubs_open").values.tolist()


def test_national_refuses_missing_rows():
    with pytest.raises(ValueError, match="lack rows"):
        national(monthly().slice(1), "hubs_open")


def test_national_of_nothing():
    assert national(monthly().slice(0, 0), "hubs_open").values.shape == (0, 0)


def test_runs():
    runs = pa.table(
        {
            "scenario": pa.array([0, 0, 0, 2], pa.int32()),
            "error": pa.array([None, "ValueError: broken", None, None], pa.string()),
            "jobs@2027-12-31": pa.array([5.0, None, None, 7.0]),
            "jobs@2027-02-28": pa.array([1.0, None, 2.0, 3.0]),
            "jobs_created@2027-06-30": pa.array([1.0, None, 2.0, 3.0]),
            "reached.jobs": pa.array([date(2027, 12, 31), None, None, date(2028, 1, 31)]),
        }
    )
    (goal,) = read_goals({"jobs": {"metric": "jobs", "level": 5, "by": "2027-12-31"}})
    assert (goal.by, goal.label) == (date(2027, 12, 31), "jobs")
    assert scenarios(runs) == [0, 2]
    assert finished(runs).num_rows == 3
    assert met_by_date(finished(runs), goal) == (1, 3)
    assert met_by_date(finished(runs), goal._replace(held=True)) == (2, 3)  # on the day itself
    assert metric_dates(runs, "jobs") == [date(2027, 2, 28), date(2027, 12, 31)]
    assert values(runs, "jobs@2027-12-31").tolist() == [5, 7]


def test_time_use_averages_within_replications_first():
    columns = {f"{stage}_{kind}_days": [None] * 5 for stage in STAGES for kind in ("wait", "work")}
    columns["finance_wait_days"] = [10, 20, 30, None, 40]
    columns["finance_work_days"] = [100, None, None, None, 300]
    table = pa.table(
        {
            "scenario": pa.array([0, 0, 0, 0, 1], pa.int32()),
            "replication": pa.array([1, 1, 4, 4, 1], pa.int32()),
            "kind": ["hub"] * 5,
        }
        | {name: pa.array(days, pa.float64()) for name, days in columns.items()}
    )
    stages = {stage.stage: stage for stage in time_use(table)}
    assert list(stages) == list(STAGES)
    finance = stages["finance"]
    assert finance.hubs == 3
    assert finance.waiting.value == pytest.approx((15 + 30) / 2)
    assert finance.waiting.n == 2
    assert finance.waiting.high - finance.waiting.value == pytest.approx(12.706204736 * 7.5)  # t(1), sd / sqrt(2)
    assert (finance.working.value, finance.working.n) == (100, 1)
    assert stages["money"].hubs == stages["money"].waiting.n == 0
    assert time_use(table, scenario=1)[1].waiting.value == 40
