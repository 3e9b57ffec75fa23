"""Shares of a gap, and what hubs under way are at."""

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest

from sim.analysis.bottlenecks import STATES, shapley, shares, under_way


def test_shapley_values_are_means_over_all_orders():
    """Against the definition, with interactions of every kind."""
    values = np.random.default_rng(3).normal(size=(16, 5))
    expected = np.zeros((4, 5))
    for order in permutations(range(4)):
        removed = 0
        for limit in order:
            expected[limit] += values[removed | 1 << limit] - values[removed]
            removed |= 1 << limit
    np.testing.assert_allclose(shapley(values), expected / 24)


def test_they_add_up_run_by_run():
    values = np.random.default_rng(4).normal(size=(128, 9))
    np.testing.assert_allclose(shapley(values).sum(axis=0), values[-1] - values[0])


def test_what_does_not_matter_gets_nothing_and_equals_get_the_same():
    """Two limits of which either is enough to hold everything up, and one that changes nothing."""
    value = np.array([[100.0 * (s & 1 and s & 2 and 1)] for s in range(8)])
    np.testing.assert_allclose(shapley(value).ravel(), [50, 50, 0])
    first = shares(np.repeat(value, 4, axis=1))[0]
    assert (first.shapley.value, first.alone.value, first.last.value) == pytest.approx((50, 0, 100))
    assert first.shapley.n == 4


def test_combinations_must_be_complete():
    with pytest.raises(ValueError, match="every combination"):
        shapley(np.zeros((6, 2)))


def day(text):
    return np.datetime64(text, "D").astype(object)


def test_hubs_are_where_their_dates_say():
    """A hub that waits 10.5 days for its place, then for money; one that was under way; one that ended."""
    hub = {
        "kind": "hub", "region": "A", "origin": "call", "applied": day("2026-01-05"), "evaluated": day("2026-03-10"),
        "financed": day("2026-04-20"), "funded": None, "fitted_out": None, "ended": None,
        "evaluation_wait_days": 10.5, "finance_wait_days": 0.0, "money_wait_days": 60.0, "fit_out_wait_days": None,
        "connectivity_wait_days": None,
    }  # fmt: skip
    known = dict.fromkeys(hub) | {"kind": "hub", "region": "B", "origin": "backlog"}
    evaluated = known | {"evaluated": day("2026-02-10"), "ended": day("2026-02-10")}
    asking = known | {"financed": day("2026-01-01"), "funded": day("2026-02-20"), "fit_out_wait_days": 20.0}
    rows = pa.Table.from_pylist([{"scenario": 0, **one} for one in (hub, evaluated, asking)])
    for name in ("applied", "evaluated", "financed", "funded", "fitted_out", "ended"):
        rows = rows.set_column(rows.column_names.index(name), name, rows.column(name).cast(pa.date32()))
    for name in (name for name in rows.column_names if name.endswith("_days")):
        rows = rows.set_column(rows.column_names.index(name), name, rows.column(name).cast(pa.float64()))
    days = np.array(["2026-01-10", "2026-01-31", "2026-02-28", "2026-03-15", "2026-04-30"], "datetime64[D]")
    counts = under_way(rows, np.datetime64("2026-01-01"), days, ["A", "B"])
    at = [[[STATES[s] for s in np.flatnonzero(place)] for place in region] for region in counts]
    assert at[0] == [["waiting for the committee"], ["evaluation"], ["evaluation"], ["loan, site and partner"],
                     ["waiting for programme money"]]  # fmt: skip
    assert at[1] == [["evaluation", "waiting for programme money"], ["evaluation", "waiting for programme money"],
                     ["waiting for a contractor"], ["fit-out"], ["fit-out"]]  # fmt: skip
    assert counts.sum(axis=(0, 2)).tolist() == [3, 3, 2, 2, 2]
