"""Scores against integrals, closed forms and what exchangeable draws must give; and which observations are scored."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from sim.analysis.scores import NOTES, SCORES, crps, crps_within, pit, score, summarise, text
from sim.analysis.tables import QUANTILES
from sim.observations import read
from sim.sources import CONF

START = date(2025, 11, 14)
numbers = st.one_of(st.integers(-5, 5).map(float), st.floats(-20, 20).map(lambda x: round(x, 3)))  # with ties
ensembles = st.lists(numbers, min_size=2, max_size=12).map(np.array)


def integral(x: np.ndarray, y: float) -> float:
    """The score of the empirical distribution F as an integral of (F(t) - 1{t >= y})^2, by quadrature."""
    points = sorted({*x.tolist(), y})
    return sum(quad(lambda t: (np.mean(x <= t) - (t >= y)) ** 2, low, high)[0] for low, high in pairwise(points))


def pairs(x: np.ndarray) -> float:
    """Mean difference between two members drawn with replacement, pair by pair."""
    return float(np.mean([abs(a - b) for a in x for b in x]))


@given(ensembles, numbers)
def test_crps_is_the_integral_made_fair(x, y):
    fair = integral(x, y) - pairs(x) / (2 * (x.size - 1))
    assert crps(x, y) == pytest.approx(fair, abs=1e-6)


@pytest.mark.parametrize("y", [-2.5, 0.0, 0.4, 3.0])
def test_crps_of_a_large_normal_ensemble(y):
    """Closed form: Gneiting and Raftery 2007, section 4.2."""
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    x = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert crps(x, y) == pytest.approx(closed, abs=2e-4)
    assert crps(1e8 + 1e6 * x, 1e8 + 1e6 * y) == pytest.approx(1e6 * closed, rel=1e-3)


@pytest.mark.parametrize("size", [2, 3, 10, 50])
def test_crps_does_not_depend_on_the_number_of_runs(size):
    y = 0.4
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    draws = np.random.default_rng(size).normal(size=(4000, size))
    found = np.array([crps(x, y) for x in draws])
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - closed) < 3.5 * error
    unfair = found + [np.abs(np.subtract.outer(x, x)).mean() / (2 * (size - 1)) for x in draws]
    assert abs(unfair.mean() - closed) > 3.5 * error or size == 50  # the test would see it


def test_crps_needs_two_runs():
    assert np.isnan(crps(np.array([3.0]), 2.0))
    assert crps(np.array([3.0, 3.0]), 2.0) == 1.0
    assert crps(np.array([2.0, 2.0]), 2.0) == 0.0


@given(ensembles, numbers, st.one_of(st.just(0.0), st.floats(0.01, 30)))
def test_crps_within_bounds_is_its_mean_over_them(x, low, width):
    steps = 400
    values = low + (np.arange(steps) + 0.5) / steps * width
    mean = np.mean([crps(x, y) for y in values])
    assert crps_within(x, low, low + width) == pytest.approx(mean, abs=max(1e-9, width / steps))


def test_pit_of_exchangeable_draws_is_uniform():
    draws = np.random.default_rng(7).gamma(2, size=(3000, 40))
    found = [pit(x[1:], x[0]) for x in draws]  # 0, 1/39, ... 1, each as likely
    counts = np.bincount(np.round(np.array(found) * 39).astype(int), minlength=40)
    assert stats.chisquare(counts).pvalue > 0.01
    inside = np.mean([(np.quantile(x[1:], 0.05) <= x[0]) & (x[0] <= np.quantile(x[1:], 0.95)) for x in draws])
    assert inside == pytest.approx(0.9 * 38 / 40, abs=0.02)  # between order statistics of 39 runs


@pytest.mark.parametrize("mean", [0.3, 2.0, 30.0])
def test_pit_of_counts_is_a_half_on_average(mean):
    draws = np.random.default_rng(11).poisson(mean, size=(4000, 30)).astype(float)
    found = np.array([pit(x[1:], x[0]) for x in draws])
    assert abs(found.mean() - 0.5) < 3.5 * found.std() / np.sqrt(len(found))


def test_pit_counts_half_of_the_equal():
    x = np.array([1.0, 2, 2, 2, 5])
    assert [pit(x, y) for y in (0, 1, 2, 3, 5, 9)] == pytest.approx([0, 0.1, 0.5, 0.8, 0.9, 1])


def monthly(replications: int = 40) -> pa.Table:
    """Hubs that grow from 40 by 1 to `replications` a day over ten days, and people, a fifth of them women."""
    rows = [
        {
            "scenario": 0,
            "replication": r,
            "kind": kind,
            "region": region,
            "month_end": START + timedelta(days=days),
            "open": 20 + days * (r + 1) / 2 if kind == "hub" else 25,
            "jobs_supported": 10 * days * (r + 1),
            "women": 2 * days * (r + 1),
        }
        for r in range(replications)
        for kind in ("hub", "stp")
        for region in ("Punjab", "Sindh")
        for days in (0, 10)
    ]
    return pa.Table.from_pylist(rows)


def seen(series: str, days: int, value: float, **others) -> dict:
    return {"series": series, "date": str(START + timedelta(days=days)), "value": value, **others}


def test_an_observation_is_scored_at_its_own_date():
    table = monthly()
    (entry,) = score(table, [seen("hubs_functional", 4, 90.0, low=80.0, high=120.0, role="calibration")])
    hubs = 40 + 4.0 * np.arange(1, 41)  # of the way from day 0 to day 10
    assert entry["metric"] == "hubs_open"
    assert entry["not_scored"] is None
    assert entry["n"] == 40
    for name, q in QUANTILES.items():
        assert entry[name] == pytest.approx(np.quantile(hubs, q))
    assert entry["crps"] == pytest.approx(crps(hubs, 90))
    assert entry["crps_within_bounds"] == pytest.approx(crps_within(hubs, 80, 120))
    assert [entry[name] for name in ("pit_low", "pit", "pit_high")] == pytest.approx([9.5 / 40, 12 / 40, 19.5 / 40])
    assert entry["absolute_error"] == pytest.approx(np.median(hubs) - 90)
    assert (entry["inside_50"], entry["inside_90"]) == (True, True)
    assert entry["in_words"] == (
        "90 hubs open (known within 80 to 120) on 18 November 2025: the forecast said 122 (8 in 10 runs: 60 to 184); "
        "it fell in the middle half"
    )


@pytest.mark.parametrize(
    ("value", "fell", "inside_50", "inside_90"),
    [
        (122.0, "in the middle half", True, True),
        (60.0, "below the middle half, within the middle 90%", False, True),
        (190.0, "above the middle half, within the middle 90%", False, True),
        (44.0, "below the middle 90%", False, False),
        (201.0, "above the middle 90%", False, False),
    ],
)
def test_where_it_fell(value, fell, inside_50, inside_90):
    (entry,) = score(monthly(), [seen("hubs_open", 4, value)])
    assert entry["in_words"].endswith(f"it fell {fell}")
    assert (entry["inside_50"], entry["inside_90"]) == (inside_50, inside_90)
    assert (entry["pit_low"], entry["pit_high"]) == (entry["pit"], entry["pit"])


def test_any_metric_of_the_tables_may_be_observed():
    rows = [seen("stp_parks", 10, 50.0), seen("jobs_supported", 10, 60.0), seen("jobs_supported.stp", 10, 3e3)]
    rows.append(seen("women_share", 10, 0.25))
    parks, people, jobs, women = score(monthly(), rows)
    assert (parks["metric"], parks["p05"], parks["p95"], parks["pit"]) == ("sites_open.stp", 50, 50, 0.5)
    assert parks["in_words"].startswith("50 software technology parks open on 24 November 2025: the forecast said 50")
    assert people["p50"] == pytest.approx(400 * 20.5)
    assert jobs["p50"] == pytest.approx(200 * 20.5)
    assert (women["p50"], women["crps"]) == (pytest.approx(0.2), pytest.approx(0.05))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (seen("hubs_open", 10, 90.0, role="comparator"), "it is of another programme"),
        (seen("islamabad_physical_progress_pct", 10, 71.0), "not simulated"),
        (seen("sites_open.karachi_park", 10, 1.0), "not simulated"),  # not in this run
        (seen("sites_open", 10, 90.0), "not simulated"),  # of all kinds together: no metric
        (seen("month_end", 10, 1.0), "not simulated"),  # a column, but no metric
        (seen("opened", 10, 1.0), "not simulated"),  # a metric, but not by month
        (seen("hubs_open", 0, 41.0), "the run starts from that day: given to it, not forecast"),
        (seen("hubs_open", -1, 41.0), "outside the run's dates, 14 November 2025 to 24 November 2025"),
        (seen("hubs_open", 11, 41.0), "outside the run's dates, 14 November 2025 to 24 November 2025"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["series"],
)
def test_what_is_not_scored_says_why(row, reason):
    (entry,) = score(monthly(), [row])
    assert entry["not_scored"] == reason
    assert entry["in_words"].endswith(f": not scored ({reason})")
    assert {entry[name] for name in (*QUANTILES, *SCORES)} == {None}
    assert summarise([entry]) == {
        "observations": 1, "scored": 0, "known_before": 0, "inside_50": 0, "inside_90": 0, "metrics": [],
    }  # fmt: skip
    assert "None of 1 observations could be scored." in text([entry], summarise([entry]))


def test_runs_without_people_have_no_share():
    table = monthly(30)
    nobody = pc.less(table["replication"], 28)
    for name in ("jobs_supported", "women"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, pc.if_else(nobody, 0, table[name]))
    (entry,) = score(table, [seen("women_share", 10, 0.2)])
    assert (entry["n"], entry["p50"]) == (2, pytest.approx(0.2))
    (entry,) = score(table.filter(nobody), [seen("women_share", 10, 0.2)])
    assert entry["not_scored"] == "it takes two runs that have a value then"


def test_the_yardstick_is_the_error_of_the_median():
    table = monthly(21)
    tail = pc.if_else(pc.equal(table["replication"], 20), 1e4, table["open"])
    table = table.set_column(table.column_names.index("open"), "open", tail)
    (entry,) = score(table, [seen("hubs_open", 10, 50.0)])
    assert entry["absolute_error"] == pytest.approx(40 + 10 * 11 - 50)  # the mean is elsewhere


def test_few_runs_say_so():
    (entry,) = score(monthly(3), [seen("hubs_open", 10, 41.0)])
    assert entry["in_words"].endswith("the forecast said 60 (3 runs, too few for bands: 50 to 70)")


def test_mean_scores_are_those_of_each_metric():
    rows = [seen("hubs_open", 4, 90.0, role="calibration"), seen("hubs_open", 10, 1000.0), seen("stp_parks", 10, 52.0)]
    entries = score(monthly(), [*rows, seen("sco_hubs", 10, 9.0)])
    found = summarise(entries)
    counts = [found[name] for name in ("observations", "scored", "known_before", "inside_50", "inside_90")]
    assert counts == [4, 3, 1, 1, 1]
    hubs, parks = found["metrics"]
    assert (hubs["metric"], hubs["scored"]) == ("hubs_open", 2)
    assert hubs["mean_crps"] == pytest.approx((entries[0]["crps"] + entries[1]["crps"]) / 2)
    assert hubs["mean_absolute_error"] == pytest.approx((32 + 755) / 2)
    assert (parks["mean_crps"], parks["mean_absolute_error"]) == (2, 2)
    said = text(entries, found)
    assert said.startswith(entries[0]["in_words"])
    assert "3 of 4 observations scored: 1 in the 50% interval, 1 in the 90% interval." in said
    assert "1 was known when the model was made (calibration)" in said
    assert said.endswith(NOTES)


def test_the_projects_own_observations_are_read():
    rows = read(CONF / "data" / "observations.csv")
    assert {row["role"] for row in rows} >= {"calibration", "comparator"}
    entries = score(monthly(), rows)
    assert {entry["metric"] for entry in entries} >= {"hubs_open", "sites_open.stp"}
