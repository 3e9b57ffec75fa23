"""From what is claimed to what is simulated: the steps add up, whatever the tables and claims hold."""

from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim.analysis.waterfall import ORDER, waterfall

DAY = date(2027, 12, 31)
SYSTEMS = ("hub", "stp", "women_park", "islamabad_park", "karachi_park")
PER_SYSTEM = ("sites_open", "seats", "portfolio_jobs", "portfolio_exports_usd_per_year")


def table(figures: dict[str, dict[str, list[float]]], additional: list[float]) -> pa.Table:
    """Runs with these figures by system and metric, their sums over the systems, and a failed run."""
    columns = {f"{metric}.{system}": x for system, own in figures.items() for metric, x in own.items()}
    for metric in PER_SYSTEM[2:]:
        columns[metric] = np.sum([own[metric] for own in figures.values()], axis=0).tolist()
    columns["jobs_additional"] = additional
    runs = {f"{name}@{DAY}": pa.array([*x, None], pa.float64()) for name, x in columns.items()}
    return pa.table({"error": pa.array([None] * len(additional) + ["ValueError: broken"], pa.string()), **runs})


def claim(sites: int, jobs: int, exports_usd: float) -> dict[str, float]:
    return {"sites": sites, "jobs": jobs, "exports_usd": exports_usd}


claims = st.builds(claim, st.sampled_from([0, 1, 250]), st.sampled_from([0, 7_500]), st.sampled_from([0.0, 60e6]))


@given(st.integers(0, 2**32), st.integers(1, 30), st.dictionaries(st.sampled_from(SYSTEMS), claims))
@example(0, 1, {})
@example(1, 3, {"hub": claim(0, 25_000, 1e6), "stp": claim(50, 0, 90e6)})
def test_steps_add_up(seed, n, claimed):
    rng = np.random.default_rng(seed)
    figures = {
        system: {
            metric: rng.normal(10.0**k, 10.0**k, n).tolist() for metric, k in zip(PER_SYSTEM, (1, 3, 3, 8), strict=True)
        }
        for system in SYSTEMS
    }
    additional = rng.normal(1e3, 1e3, n).tolist()
    runs = table(figures, additional)
    for what, metric in (("jobs", "portfolio_jobs"), ("exports_usd", "portfolio_exports_usd_per_year")):
        steps = waterfall(runs, claimed, DAY, what)
        tolerance = {"rel": 1e-12, "abs": 1e-12 * sum(abs(step.amount) for step in steps)}
        outcome = np.sum([own[metric] for own in figures.values()], axis=0)
        ends = {step.name: step.total for step in steps}
        assert steps[0][:3] == ("claimed", None, sum(each[what] for each in claimed.values()))
        for before, step in pairwise(steps):
            assert step.total == pytest.approx(before.total + step.amount, **tolerance)
        mean = next(step.total - step.amount for step in steps if step.name == "mean_to_median")
        assert mean == pytest.approx(outcome.mean(), **tolerance)
        assert ends["mean_to_median"] == np.median(outcome)
        assert ends.get("not_additional") == (np.median(additional) if what == "jobs" else None)
        assert sum(step.amount for step in steps) == pytest.approx(steps[-1].total, **tolerance)


def test_what_the_steps_are():
    figures = {system: {metric: [0.0, 0.0] for metric in PER_SYSTEM} for system in ("hub", "stp", "karachi_park")}
    figures["hub"] = {
        "sites_open": [100.0, 200.0],
        "seats": [9_000.0, 19_000.0],
        "portfolio_jobs": [4_000.0, 7_000.0],
        "portfolio_exports_usd_per_year": [16e6, 30e6],
    }
    figures["stp"] |= {"portfolio_jobs": [-200.0, 600.0], "portfolio_exports_usd_per_year": [-1e6, 3e6]}
    figures["karachi_park"] = {
        "sites_open": [0.0, 1.0],
        "seats": [0.0, 10_000.0],
        "portfolio_jobs": [0.0, 2_000.0],
        "portfolio_exports_usd_per_year": [0.0, 12e6],
    }
    said = {"hub": claim(250, 25_000, 0.0), "karachi_park": claim(1, 13_400, 90e6), "islamabad_park": claim(1, 9, 9)}
    runs = table(figures, [1_000.0, 3_000.0])
    assert [step[:3] for step in waterfall(runs, said, DAY, "jobs")] == [
        ("claimed", None, 38_400),  # of what was simulated
        ("not_open", "hub", -10_000),
        ("smaller", "hub", -1_000),
        ("not_taken", "hub", -8_500),
        ("not_open", "karachi_park", -6_700),
        ("smaller", "karachi_park", -1_700),
        ("not_taken", "karachi_park", -4_000),
        ("added", "stp", 200),
        ("mean_to_median", None, 0),
        ("not_additional", None, -4_700),
    ]
    each = 90e6 / 13_400
    assert [step[:3] for step in waterfall(runs, said, DAY, "exports_usd")] == [
        ("claimed", None, 90e6),
        ("not_open", "karachi_park", -45e6),
        ("fewer_people", "karachi_park", pytest.approx((2_000 - 13_400) * each / 2)),
        ("less_each", "karachi_park", pytest.approx((12e6 - 2_000 * each) / 2)),
        ("added", "hub", 23e6),
        ("added", "stp", 1e6),
        ("mean_to_median", None, pytest.approx(0)),
    ]


def test_hubs_come_first_and_additions_last():
    figures = {system: {metric: [1.0] for metric in PER_SYSTEM} for system in reversed(SYSTEMS)}
    said = {system: claim(1, 10, 10) for system in ("hub", "karachi_park", "islamabad_park")}
    order = [(step.name, step.system) for step in waterfall(table(figures, [1.0]), said, DAY, "jobs")][1:-2]
    assert {system for _, system in order[:3]} == {"hub"}
    assert [name for name, _ in order[3:]] == [name for name in ORDER[:3] for _ in range(2)] + ["added"] * 2
