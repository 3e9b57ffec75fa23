"""Figures of the portfolio and of the regions: their numbers recomputed, and extremes that must not break them."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy import stats

from sim.figures import (
    claims,
    draw_all,
    goal_probability,
    national_exports,
    outcome_dots,
    portfolio_exports,
    portfolio_jobs,
    regions,
    sweep_heatmap,
    system_shares,
    tile_map,
    waterfall,
)
from sim.sources import ict_exports

DAY = date(2027, 12, 31)
PORTFOLIO = (portfolio_jobs, portfolio_exports, claims, waterfall, system_shares, national_exports)
NAMES = [
    *("hubs_open", "jobs", "goal_probability", "outcome_dots", "time_use", "exports", "regions", "tile_map"),
    "reference_class",
    *("portfolio_jobs", "portfolio_exports", "claims", "waterfall_jobs", "waterfall_exports", "system_shares"),
    "national_exports",
]
SYSTEMS = ("hub", "stp", "women_park", "islamabad_park", "karachi_park")


def read(path: Path) -> list[dict[str, str]]:
    with path.with_suffix(".csv").open(newline="") as file:
        return list(csv.DictReader(file))


def drawn(figure, run, folder: Path) -> list[dict[str, str]]:
    png, *_ = figure.draw(run, folder)
    return read(png)


def totals(run, column: str, **where: str) -> dict[date, np.ndarray]:
    """Totals by date, one value a replication, over the rows with these keys; summed without the code under test."""
    table = run.table("monthly")
    for key, value in where.items():
        table = table.filter(pc.equal(table[key], value))
    summed = table.group_by(["month_end", "replication"], use_threads=False).aggregate([(column, "sum")])
    days, values = summed["month_end"].to_numpy().astype(object), summed[f"{column}_sum"].to_numpy()
    return {day: values[days == day] for day in dict.fromkeys(days)}


def outcomes(run, metric: str) -> np.ndarray:
    rows = [row for row in run.table("runs").to_pylist() if row["error"] is None]
    return np.array([row[f"{metric}@{DAY}"] for row in rows])


def test_waterfall_numbers(portfolio, tmp_path):
    paths = waterfall.draw(portfolio, tmp_path)
    assert [path.name for path in paths] == [
        f"waterfall_{of}.{end}" for of in ("jobs", "exports") for end in ("png", "svg", "csv")
    ]
    for name, metric, claimed in (
        ("jobs", "portfolio_jobs", 45_900),
        ("exports", "portfolio_exports_usd_per_year", 150e6),
    ):
        rows = read(tmp_path / f"waterfall_{name}")
        amounts = {(row["step"], row["system"]): float(row["amount"]) for row in rows}
        (median,) = (row for row in rows if row["step"] == "mean_to_median")
        to_here = [float(row["amount"]) for row in rows[: rows.index(median) + 1]]
        assert amounts["claimed", ""] == claimed
        assert sum(to_here) == pytest.approx(np.median(outcomes(portfolio, metric)), rel=1e-12)
        assert [float(median["p10"]), float(median["p90"])] == np.percentile(
            outcomes(portfolio, metric), [10, 90]
        ).tolist()
        is_open = outcomes(portfolio, "sites_open.karachi_park")
        lost = (is_open - 1) * (13_400 if name == "jobs" else 90e6)
        assert amounts["not_open", "karachi_park"] == pytest.approx(lost.mean())
        assert amounts["added", "stp"] == pytest.approx(outcomes(portfolio, f"{metric}.stp").mean())
    assert read(tmp_path / "waterfall_jobs")[-1]["step"] == "not_additional"


def test_regions_numbers(portfolio, tmp_path):
    rows = drawn(regions, portfolio, tmp_path)
    assert [row["region"] for row in rows[:: len(rows) // 3]] == ["Punjab", "Sindh", "Balochistan"]
    for region, planned in (("Punjab", 149), ("Sindh", 51), ("Balochistan", 6)):
        expected = totals(portfolio, "open", kind="hub", region=region)
        own = [row for row in rows if row["region"] == region]
        assert [row["date"] for row in own] == [day.isoformat() for day in sorted(expected)]
        assert {(row["n"], float(row["planned"])) for row in own} == {("39", planned)}
        for row in own:
            shares = np.percentile(expected[date.fromisoformat(row["date"])] / planned, [10, 50, 90])
            assert [float(row[name]) for name in ("p10", "p50", "p90")] == pytest.approx(shares.tolist())


def test_tile_map_numbers(portfolio, tmp_path):
    rows = {row["region"]: row for row in drawn(tile_map, portfolio, tmp_path)}
    assert set(rows) == {"Punjab", "Sindh", "Balochistan"}
    for region, millions in (("Punjab", 127.69), ("Sindh", 55.70), ("Balochistan", 14.89)):
        jobs = np.median(totals(portfolio, "jobs_supported", region=region)[DAY])
        assert rows[region]["date"] == DAY.isoformat()
        assert float(rows[region]["jobs"]) == jobs
        assert float(rows[region]["jobs_per_million"]) == pytest.approx(jobs / millions)
        for column, kind in (("hubs", "hub"), ("stps", "stp")):
            assert float(rows[region][column]) == np.median(totals(portfolio, "open", kind=kind, region=region)[DAY])


def test_system_shares_numbers(portfolio, tmp_path):
    rows = drawn(system_shares, portfolio, tmp_path)
    for metric in ("jobs_supported", "exports_usd_per_year"):
        of_metric = [row for row in rows if row["metric"] == metric]
        means = {system: totals(portfolio, metric, kind=system) for system in SYSTEMS}
        for row in of_metric:
            day = date.fromisoformat(row["date"])
            whole = sum(means[system][day].mean() for system in SYSTEMS)
            assert float(row["mean"]) == pytest.approx(means[row["system"]][day].mean())
            assert float(row["share"]) == pytest.approx(means[row["system"]][day].mean() / whole)
        assert len(of_metric) == len(SYSTEMS) * len(means["hub"])
        assert of_metric[0]["system"] == "stp"  # the largest below


def test_national_exports_numbers(portfolio, tmp_path):
    rows = drawn(national_exports, portfolio, tmp_path)
    country = [row for row in rows if row["kind"] == "national"]
    programme = {date.fromisoformat(row["date"]): row for row in rows if row["kind"] == "programme"}
    published = ict_exports()
    assert {date.fromisoformat(row["date"]): float(row["usd_million"]) for row in country} == published
    days = [(day - date(2023, 1, 1)).days for day in published]
    line = stats.linregress(days, np.log(list(published.values())))
    trend = np.exp(line.intercept + line.slope * np.array(days))
    residuals = np.array(list(published.values())) - trend
    assert [float(row["trend"]) for row in country] == pytest.approx(trend.tolist())
    assert float(country[0]["scatter"]) == pytest.approx(np.sqrt(sum(residuals**2) / (len(days) - 2)))
    for day, rates in totals(portfolio, "portfolio_exports_usd_per_year").items():
        quantiles = [float(programme[day][name]) for name in ("p10", "p50", "p90")]
        assert quantiles == pytest.approx(np.percentile(rates / 12e6, [10, 50, 90]).tolist())


def test_claims_numbers(portfolio, tmp_path):
    rows = drawn(claims, portfolio, tmp_path)
    assert [(row["system"], row["claimed_on"], int(row["claimed"])) for row in rows if "park" in row["system"]] == [
        ("women_park", "", 0),
        ("islamabad_park", "2023-03-01", 15_000),
        ("islamabad_park", "2025-02-14", 7_500),
        ("islamabad_park", "", 7_500),
        ("karachi_park", "2021-06-04", 8_400),
        ("karachi_park", "2022-11-07", 20_000),
        ("karachi_park", "", 13_400),
    ]
    for row in rows:
        expected = np.percentile(outcomes(portfolio, f"portfolio_jobs.{row['system']}"), [10, 50, 90])
        assert [float(row[name]) for name in ("p10", "p50", "p90")] == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    ("figure", "metric"),
    [(portfolio_jobs, "portfolio_jobs"), (portfolio_exports, "portfolio_exports_usd_per_year")],
)
def test_portfolio_fans(figure, metric, portfolio, tmp_path):
    last = drawn(figure, portfolio, tmp_path)[-1]
    assert float(last["p50"]) == pytest.approx(np.median(totals(portfolio, metric)[date(2030, 12, 31)]))


def test_outcome_dots_of_hubs_and_of_the_portfolio(portfolio, tmp_path):
    rows = drawn(outcome_dots, portfolio, tmp_path)
    medians = {(row["metric"], row["system"]): float(row["median"]) for row in rows}
    hubs = {(metric, "hub"): f"{metric}.hub" for metric in ("jobs_supported", "jobs_created", "jobs_additional")}
    expected = hubs | {(metric, ""): metric for metric in ("portfolio_jobs", "jobs_additional")}
    assert medians == {key: np.median(outcomes(portfolio, metric)) for key, metric in expected.items()}


def test_a_held_goal_is_met_on_the_day_only(portfolio, tmp_path):
    rows = [row for row in drawn(goal_probability, portfolio, tmp_path) if row["held"] == "true"]
    women, people = (totals(portfolio, column) for column in ("women", "jobs_supported"))
    assert {row["metric"] for row in rows} == {"women_share"}
    shares = {day: (women[day] / people[day] >= 0.2).mean() for day in women}
    assert {date.fromisoformat(row["date"]): float(row["probability"]) for row in rows} == shares
    assert any(a > b for a, b in zip(shares.values(), list(shares.values())[1:], strict=False))  # it can be lost again
    assert shares[DAY] == (outcomes(portfolio, "women_share") >= 0.2).mean()


def test_goals_that_differ_in_their_date_only(make_run, tmp_path, saved):
    grid = {"stps": ["staff_18000", "staff_4600"]}
    never = make_run(replications=3, portfolio=True, grid=grid, hubs_a_month=0.0)
    names = {path.stem.removeprefix("sweep_heatmap_") for path in sweep_heatmap.draw(never, tmp_path / "never")}
    assert names == set(never.config["goals"]) - {"hubs_250_february"}
    likely = make_run(replications=12, portfolio=True, grid=grid, hubs_a_month=9.0)
    names = {path.stem.removeprefix("sweep_heatmap_") for path in sweep_heatmap.draw(likely, tmp_path / "likely")}
    assert names == set(likely.config["goals"])
    rows = read(tmp_path / "likely" / "sweep_heatmap_women")
    assert [row["stps"] for row in rows] == grid["stps"]
    met = outcomes(likely, "women_share") >= 0.2  # of both scenarios
    assert [float(row["probability_value"]) for row in rows] == [met[:12].mean(), met[12:].mean()]


def test_hubs_alone(make_run, tmp_path, saved):
    run = make_run(replications=5)
    assert not [path for figure in (*PORTFOLIO, regions, tile_map) for path in figure.draw(run, tmp_path)]
    run.config["regions"] = {"Punjab": {"name": "Punjab", "planned_hubs": 149}, "Atlantis": {"planned_hubs": 0}}
    assert {row["region"] for row in drawn(regions, run, tmp_path)} == {"Punjab"}
    (row,) = drawn(tile_map, run, tmp_path)
    assert (row["date"], row["stps"]) == ("2030-12-31", "0.0")  # no claim names a date


@pytest.mark.images
def test_draw_all_of_a_portfolio(portfolio, tmp_path):
    assert [path.stem for path in draw_all(portfolio, tmp_path) if path.suffix == ".png"] == NAMES


EXTREMES = {
    "one run": {"replications": 1},
    "five runs": {"replications": 5},
    "parks never open": {"replications": 20, "park_opens": np.inf},
    "nobody anywhere": {"replications": 20, "initial": 0, "hubs_a_month": 0.0, "stp_staff": 0, "park_opens": np.inf},
    "all is there": {"replications": 20, "hubs_a_month": 90.0, "jobs_a_hub": 300.0, "park_opens": 0.0},
    "no goals": {"replications": 2, "goals": {}},
    "one day": {"replications": 2, "start": DAY, "end": DAY},
    "ends early": {"replications": 2, "end": date(2027, 2, 28)},
}


@pytest.mark.parametrize("shape", EXTREMES.values(), ids=EXTREMES)
def test_extremes_draw_without_a_warning(shape, make_run, tmp_path, saved, cut_off):
    paths = draw_all(make_run(portfolio=True, **shape), tmp_path)
    expected = set(NAMES) - (set() if shape.get("goals", True) else {"goal_probability", "reference_class"})
    assert {path.stem for path in paths} == set(saved) == expected
    assert {name: cut_off(figure) for name, figure in saved.items()} == {name: [] for name in saved}


def test_less_than_at_the_start_is_shown(make_run, tmp_path, saved):
    run = make_run(replications=20, portfolio=True, stp_growth=-0.02, initial=0, hubs_a_month=0.0)
    for figure in PORTFOLIO:
        figure.draw(run, tmp_path)
    outcome_dots.draw(run, tmp_path)
    jobs = outcomes(run, "portfolio_jobs")
    assert np.median(jobs) < 0
    (fan,), (_, dots) = saved["portfolio_jobs"].axes, saved["outcome_dots"].axes
    (bars,), (rows,) = saved["waterfall_jobs"].axes, saved["claims"].axes
    lowest = float(read(tmp_path / "portfolio_jobs")[-1]["p05"])
    assert fan.get_ylim()[0] <= lowest < 0
    for axes in (dots, bars, rows):
        assert axes.get_xlim()[0] <= np.percentile(jobs, 10)


def test_without_claims_or_a_finished_run(make_run, tmp_path, saved):
    run = make_run(replications=2, portfolio=True)
    run.config["claims"] = {}
    assert {path.stem for path in draw_all(run, tmp_path)} == set(NAMES) - {"claims"}
    empty = {name: run.table(name).slice(0, 0) for name in ("runs", "monthly", "sites")}
    run.table = empty.__getitem__
    assert draw_all(run, tmp_path) == []


def test_what_was_not_kept_is_not_drawn(make_run, tmp_path, saved):
    run = make_run(replications=2, portfolio=True)
    run.table = {"runs": run.table("runs")}.__getitem__
    run.manifest["tables"] = {"runs": {}}
    names = {path.stem for path in draw_all(run, tmp_path)}
    assert names == {"outcome_dots", "reference_class", "claims", "waterfall_jobs", "waterfall_exports"}
