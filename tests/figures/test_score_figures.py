"""A run against observations, and its plan against other plans: numbers recomputed, and extremes."""

import csv
from datetime import date, timedelta

import numpy as np
import pytest
from PIL import Image

from sim.analysis.scores import score
from sim.figures import reference_class
from sim.figures import score as score_figure
from sim.sources import comparators

DAY = date(2027, 6, 30)


def read(paths):
    (path,) = [path for path in paths if path.suffix == ".csv"]
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seen(series, value, day=DAY, **others):
    return {"series": series, "date": day, "value": value, **others}


def entries(run, *rows):
    return score(run.table("monthly"), rows)


ROWS = [
    seen("hubs_functional", 115.0, low=105, high=125, role="calibration", fact_ids="P03"),
    seen("hubs_functional", 1000.0, date(2026, 6, 30), low=900, high=None),
    seen("jobs_supported.hub", 0.0),
    seen("women_share", 0.2, low=0.19, high=0.22),
    seen("exports_usd_per_year.hub", 9e6),
    seen("sites_open.islamabad_park", 1.0),
    seen("nonsuch", 1.0),
]


def test_score_numbers(portfolio, tmp_path):
    found = entries(portfolio, *ROWS)
    rows = read(score_figure.draw(portfolio, tmp_path, found))
    assert [row["series"] for row in rows] == [row["series"] for row in ROWS]
    for row, entry in zip(rows, found, strict=True):
        assert row["date"] == entry["date"].isoformat()
        for name in ("value", "p05", "p25", "p50", "p75", "p95", "pit", "pit_low", "pit_high", "crps"):
            assert row[name] == ("" if entry[name] is None else str(entry[name]))
    totals = {}
    for row in portfolio.table("monthly").to_pylist():
        if row["kind"] == "hub" and row["month_end"] == DAY:
            totals[row["replication"]] = totals.get(row["replication"], 0) + row["open"]
    hubs = np.array(list(totals.values()))
    assert float(rows[0]["p50"]) == np.median(hubs)
    below, same = (hubs < 115).mean(), (hubs == 115).mean()
    assert float(rows[0]["pit"]) == pytest.approx(below + same / 2)
    assert [row["inside_90"] for row in rows][1:3] == ["false", "false"]
    assert rows[-1]["not_scored"] == "not simulated"


def test_score_shows_each_observation_with_its_bounds(portfolio, tmp_path, saved, cut_off):
    score_figure.draw(portfolio, tmp_path, entries(portfolio, *ROWS))
    figure = saved["score"]
    assert not cut_off(figure)
    values, pits = figure.axes[:2]
    for axes in (values, pits):
        points = [line for line in axes.lines if line.get_marker() == "o"]
        assert [point.get_markerfacecolor() for point in points] == ["white", "#000000"]  # the earlier one first
        assert axes.get_xlim()[0] <= 0
    assert [line.get_xdata()[0] for line in values.lines if line.get_marker() == "o"] == [1000, 115]
    lines = [list(line.get_xdata()) for line in values.lines]
    assert [105, 125] in lines
    assert [900, 1000] in lines  # no upper bound is known
    assert values.get_xlim()[1] > 1000
    assert "3 of 6 observations within the 90% interval" in figure.get_suptitle()
    text = " ".join(each.get_text() for each in figure.texts)
    for words in ("synthetic: seed 2027", "39 runs", "PIT", "CRPS"):
        assert words in text


@pytest.mark.images
@pytest.mark.parametrize("days", [1, 3, 200])
@pytest.mark.parametrize("replications", [2, 5, 40])
def test_score_of_few_and_of_many(days, replications, make_run, tmp_path, saved, cut_off):
    run = make_run(replications=replications, portfolio=True)
    rows = [seen("hubs_open", 50.0 + i, date(2026, 1, 1) + timedelta(days=i)) for i in range(days)]
    rows += [seen("portfolio_exports_usd_per_year", 120e6), seen("women_share", 0.2)]
    paths = score_figure.draw(run, tmp_path, entries(run, *rows))
    assert len(read(paths)) == days + 2
    assert not cut_off(saved["score"])
    with Image.open(paths[0]) as image:
        assert max(image.size) < 4000
    text = " ".join(each.get_text() for each in saved["score"].texts)
    assert ("rough bands" in text) == (replications < 20)
    assert ("latest of" in text) == (days == 200)


def test_nothing_scored_is_no_picture(run, tmp_path):
    paths = score_figure.draw(run, tmp_path, entries(run, seen("nonsuch", 1.0)))
    assert [path.name for path in paths] == ["score.csv"]
    assert read(paths)[0]["in_words"] == "nonsuch 1 on 30 June 2027: not scored (not simulated)"


@pytest.mark.images
def test_score_drawn_twice_is_the_same_file(portfolio, tmp_path):
    found = entries(portfolio, *ROWS)
    first, second = (score_figure.draw(portfolio, tmp_path / name, found) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_reference_class_numbers(portfolio, tmp_path):
    rows = read(reference_class.draw(portfolio, tmp_path))
    others = [row for row in rows if row["kind"] == "comparator"]
    assert len(others) == len(comparators())
    for row in others:
        assert float(row["share"]) == pytest.approx(float(row["delivered"]) / float(row["plan"]))
        assert row["by_plan_date"] == (str(row["date"] <= row["plan_date"]).lower() if row["plan_date"] else "")
        assert row["fact_ids"]
    shares = {(row["programme"].partition(",")[0], row["date"]): float(row["share"]) for row in others}
    assert shares["SCO hubs", "2025-09-03"] == 0.93
    assert shares["e-Earn", "2023-11-06"] == pytest.approx(8 / 36)
    (mean,) = [row for row in rows if row["kind"] == "attainment"]
    assert [float(mean[name]) for name in ("share", "low", "high", "n")] == pytest.approx([0.65, 0.31, 0.99, 8])
    forecasts = [row for row in rows if row["kind"] == "forecast"]
    assert [row["date"] for row in forecasts] == ["2027-02-28", "2027-12-31"]
    runs = [row for row in portfolio.table("runs").to_pylist() if row["error"] is None]
    for row in forecasts:
        hubs = [run[f"hubs_open@{row['date']}"] / 250 for run in runs]
        assert [float(row[name]) for name in ("low", "share", "high")] == pytest.approx(
            np.percentile(hubs, [10, 50, 90]).tolist()
        )
        assert (row["n"], float(row["plan"])) == ("39", 250)


def test_reference_class_names_facts_and_dates(portfolio, tmp_path, saved, cut_off):
    reference_class.draw(portfolio, tmp_path)
    figure = saved["reference_class"]
    assert not cut_off(figure)
    caption = " ".join(each.get_text() for each in figure.texts)
    for row in comparators():
        for fact in row["fact_ids"].split():
            assert fact in caption
    (axes,) = figure.axes
    points = [line for line in axes.lines if line.get_marker() in "os"]
    assert len(points) == len(comparators()) + 3
    assert sum(line.get_marker() == "s" for line in points) == 1  # one plan names no date
    after = [row for row in comparators() if row["plan_date"] and row["date"] > row["plan_date"]]
    assert sum(line.get_markerfacecolor() == "white" for line in points) == len(after)


def test_reference_class_is_of_goals_on_hubs(make_run, tmp_path, saved):
    goals = {"jobs": {"metric": "jobs_supported", "level": 9, "by": "2027-12-31"}}
    assert reference_class.draw(make_run(replications=2, goals=goals), tmp_path) == []
    goals = {
        name: {"metric": "hubs_open", "level": level, "by": by, "source": "A04"}
        for name, level, by in (("a", 50, "2027-12-31"), ("b", 250, "2027-12-31"), ("c", 9, "2031-12-31"))
    }
    rows = read(reference_class.draw(make_run(replications=2, goals=goals), tmp_path))
    assert [(row["plan"], row["fact_ids"]) for row in rows if row["kind"] == "forecast"] == [
        ("50.0", "A04"),
        ("250.0", "A04"),
    ]
    (axes,) = saved["reference_class"].axes
    assert len(axes.get_yticks()) == len({row["programme"] for row in comparators()}) + 1 + 2
