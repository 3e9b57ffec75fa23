"""Every figure: its numbers recomputed independently, and extremes that must not break it."""

import csv
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image
from scipy import stats

from sim.errors import InputError
from sim.figures import (
    draw_all,
    exports,
    goal_probability,
    hubs_open,
    jobs,
    observations,
    outcome_dots,
    style,
    sweep_heatmap,
    time_use,
)
from sim.figures.provenance import in_words, read_provenance
from tests.helpers import config

SINGLE = (hubs_open, jobs, goal_probability, outcome_dots, time_use, exports)
ENDS = (".png", ".svg", ".csv")
NAMES = ["hubs_open", "jobs", "goal_probability", "outcome_dots", "time_use", "exports", "reference_class"]
HISTORY = {"start": date(2023, 10, 31), "end": date(2025, 11, 14), "initial": 0, "hubs_a_month": 1.6}
OBSERVED = [
    {"series": "hubs_functional", "date": "2024-02-06", "value": 1000, "low": 900, "high": 1100},
    {"series": "hubs_functional", "date": date(2025, 11, 14), "value": 41, "low": 40, "high": 45},
    {"series": "hubs_functional", "date": "2025-06-30", "value": 40, "low": None, "high": None},
    {"series": "hubs_functional", "date": "2019-01-01", "value": 1, "low": 1, "high": 1},
    {"series": "stp_parks", "date": "2025-06-30", "value": 43, "low": 43, "high": 43},
]


def read(paths: list[Path]) -> list[dict[str, str]]:
    (path,) = [path for path in paths if path.suffix == ".csv"]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def floats(rows: list[dict[str, str]], column: str) -> list[float]:
    return [float(row[column]) for row in rows]


def national(run, column: str) -> dict[date, list[float]]:
    """National totals by date, one value a replication, summed without the code under test."""
    summed = run.table("monthly").group_by(["month_end", "replication"], use_threads=False).aggregate([(column, "sum")])
    by_date: dict[date, list[float]] = {}
    for day, value in zip(summed["month_end"].to_pylist(), summed[f"{column}_sum"].to_pylist(), strict=True):
        by_date.setdefault(day, []).append(value)
    return by_date


@pytest.mark.parametrize(("figure", "column"), [(hubs_open, "open"), (jobs, "jobs_supported")])
def test_fan_numbers(figure, column, run, tmp_path):
    rows = read(figure.draw(run, tmp_path))
    expected = national(run, column)
    assert [row["date"] for row in rows] == [day.isoformat() for day in sorted(expected)]
    assert {row["n"] for row in rows} == {"59"}
    for row in rows:
        totals = expected[date.fromisoformat(row["date"])]
        for name, q in {"p05": 5, "p10": 10, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p95": 95}.items():
            assert float(row[name]) == np.percentile(totals, q)


def test_exports_numbers(run, tmp_path):
    rows = read(exports.draw(run, tmp_path))
    for metric in ("exports_usd_per_year", "exports_usd_cumulative"):
        last = [row for row in rows if row["metric"] == metric][-1]
        assert float(last["p50"]) == pytest.approx(np.median(national(run, metric)[date(2030, 12, 31)]), rel=1e-12)


def test_few_runs_are_drawn_one_by_one(make_run, tmp_path):
    few = make_run(replications=3)
    rows = read(hubs_open.draw(few, tmp_path))
    expected = national(few, "open")[date(2030, 12, 31)]
    assert sorted(float(rows[-1][f"run_{i}"]) for i in range(3)) == sorted(expected)


def test_goal_probability_numbers(run, tmp_path):
    rows = read(goal_probability.draw(run, tmp_path))
    finished = [row for row in run.table("runs").to_pylist() if row["error"] is None]
    same = {("hubs_open", 250): "hubs_2027_02", ("jobs_supported", 20_000): "jobs_lower"}
    seen = 0
    for row in rows:
        goal = same.get((row["metric"], float(row["level"])))
        if goal is None:
            continue
        seen += 1
        reached = [finish[f"reached.{goal}"] for finish in finished]
        count = sum(day is not None and day <= date.fromisoformat(row["date"]) for day in reached)
        wilson = stats.binomtest(count, 59).proportion_ci(method="wilson")
        assert float(row["probability"]) == count / 59
        assert (float(row["low"]), float(row["high"])) == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    assert seen == 2 * len({row["date"] for row in rows})


def test_outcome_dots_numbers(run, tmp_path):
    rows = read(outcome_dots.draw(run, tmp_path))
    assert len(rows) == 60
    for metric in ("jobs_supported", "jobs_created", "jobs_additional"):
        outcomes = pc.drop_null(run.table("runs")[f"{metric}@2027-12-31"]).to_numpy()
        of_metric = [row for row in rows if row["metric"] == metric]
        expected = np.percentile(outcomes, np.arange(2.5, 100, 5))
        assert floats(of_metric, "value") == pytest.approx(expected.tolist(), rel=1e-12)
        assert set(floats(of_metric, "median")) == {np.median(outcomes)}
        assert {row["n"] for row in of_metric} == {"59"}


def test_stacks_hold_every_dot_within_a_dot_width():
    x = np.array([0.0, 0.4, 0.9, 1.0, 1.1, 5.0])
    assert [pile.tolist() for pile in outcome_dots.stacks(x, 1.0)] == [[0.0, 0.4, 0.9], [1.0, 1.1], [5.0]]


def test_time_use_numbers(run, tmp_path):
    rows = {row["stage"]: row for row in read(time_use.draw(run, tmp_path))}
    sites = run.table("sites").to_pylist()
    for stage, row in rows.items():
        waits: dict[int, list[float]] = {}
        for site in sites:
            if site[f"{stage}_wait_days"] is not None:
                waits.setdefault(site["replication"], []).append(site[f"{stage}_wait_days"])
        averages = [np.mean(days) for days in waits.values()]
        t = stats.ttest_1samp(averages, 0).confidence_interval()
        assert float(row["waiting_value"]) == pytest.approx(np.mean(averages))
        assert (float(row["waiting_low"]), float(row["waiting_high"])) == pytest.approx((t.low, t.high))
        assert int(row["hubs"]) == sum(map(len, waits.values()))
        assert int(row["waiting_n"]) == len(averages)


def test_levers_are_told_in_words_and_by_their_key(sweep, saved, tmp_path):
    sweep_heatmap.draw(SimpleNamespace(**vars(sweep)), tmp_path, "exports")
    assert saved["sweep_heatmap_exports"].axes[0].get_xlabel() == "rollout.committee"  # of no known configuration
    known = SimpleNamespace(**vars(sweep) | {"config": config() | {"sweep": sweep.config["sweep"]}})
    sweep_heatmap.draw(known, tmp_path)
    for figure in list(saved.values())[1:]:
        assert figure.axes[0].get_xlabel() == "applications evaluated at one time\nrollout.committee"
        assert figure.axes[0].get_ylabel().endswith("\ncalls.applications")


@pytest.mark.parametrize("goal", ["hubs_2027_12", "exports"])
def test_sweep_numbers(goal, sweep, tmp_path):
    rows = read(sweep_heatmap.draw(sweep, tmp_path, goal))
    runs = sweep.table("runs").to_pylist()
    metric = sweep.config["goals"][goal]["metric"]
    assert len(rows) == 6
    for row in rows:
        scenario = int(row["scenario"])
        overrides = sweep.manifest["scenarios"][scenario]["overrides"]
        assert {lever: int(row[lever]) for lever in overrides} == overrides
        own = [run for run in runs if run["scenario"] == scenario]
        met = sum(run[f"reached.{goal}"] is not None and run[f"reached.{goal}"] <= date(2027, 12, 31) for run in own)
        wilson = stats.binomtest(met, 12).proportion_ci(method="wilson")
        outcomes = [run[f"{metric}@2027-12-31"] for run in own]
        t = stats.ttest_1samp(outcomes, 0).confidence_interval()
        assert float(row["probability_value"]) == met / 12
        assert (float(row["probability_low"]), float(row["probability_high"])) == pytest.approx(
            (wilson.low, wilson.high), abs=1e-12
        )
        assert [float(row[f"mean_{part}"]) for part in ("value", "low", "high")] == pytest.approx(
            [np.mean(outcomes), t.low, t.high]
        )


def test_a_sweep_draws_each_goal(sweep, tmp_path, saved):
    drawn = draw_all(sweep, tmp_path)
    assert {path.stem for path in drawn} == {f"sweep_heatmap_{goal}" for goal in sweep.config["goals"]}
    assert {path.suffix for path in drawn} == {".png", ".svg", ".csv"}


@pytest.mark.images
def test_observations_in_and_out_of_the_band(make_run, tmp_path):
    run = make_run(**HISTORY)
    rows = read(observations.draw(run, tmp_path, OBSERVED))
    simulated = [row for row in rows if row["kind"] == "simulated"]
    observed = {row["date"]: row for row in rows if row["kind"] == "observed"}
    assert list(observed) == ["2019-01-01", "2024-02-06", "2025-06-30", "2025-11-14"]  # and no parks
    assert [row["inside_90"] for row in observed.values()] == ["", "false", "true", "true"]
    low, high = np.percentile(national(run, "open")[date(2025, 6, 30)], [5, 95])
    assert low <= 40 <= high
    june = observed["2025-06-30"]
    assert (float(june["p05"]), float(june["p95"])) == (low, high)
    assert (june["low"], june["high"]) == ("", "")
    assert simulated[0]["inside_90"] == ""
    assert len(simulated) == len(national(run, "open"))


def test_observation_between_recorded_dates_is_interpolated(make_run, tmp_path):
    run = make_run(replications=2, **HISTORY)
    totals = national(run, "open")
    before, after = (np.mean(totals[day]) for day in (date(2025, 5, 31), date(2025, 6, 30)))
    row = {"series": "hubs_open", "date": "2025-06-15", "value": before + (after - before) / 2}
    (seen,) = [row for row in read(observations.draw(run, tmp_path, [row])) if row["kind"] == "observed"]
    assert float(seen["p50"]) == pytest.approx(before + (after - before) / 2)


@pytest.fixture(scope="module")
def images(run, tmp_path_factory):
    """Every figure of a run, as images."""
    return draw_all(run, tmp_path_factory.mktemp("images"))


def test_metadata_names_the_run_and_no_time(images):
    for path in images:
        if path.suffix == ".csv":
            continue
        said = read_provenance(path)
        assert (said["figure"], said["seed"], said["replications"]) == (path.stem, 2027, 60)
        assert (said["config_digest"], said["version"]) == ("0123456789abcdef" * 4, "0.1.0")
        assert len(said["caption"]) > 30
        assert said["figure"] in in_words(path)
        if path.suffix == ".png":
            with Image.open(path) as image:
                text, size = image.text, image.size
            assert set(text) == {"Title", "Description", "Software", "Source"}
            assert text["Title"] == f"Synthetic: {path.stem}"
            assert text["Description"] == said["caption"]
            assert min(size) > 400
        else:
            assert "<dc:date>" not in path.read_text()


def test_a_vector_figure_leaves_its_caption_to_the_page(images):
    """The caption that the PNG has printed below it is cut off; the title over the axes stays."""
    (path,) = [path for path in images if path.name == "hubs_open.svg"]
    shown = re.sub("<metadata>.*</metadata>", "", path.read_text(), flags=re.DOTALL)
    assert read_provenance(path)["caption"][:20] not in shown
    assert "Hubs open on 31 December 2027" in shown
    width, height = (float(x) for x in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', shown).groups())
    with Image.open(path.with_suffix(".png")) as image:
        assert height / width < 0.97 * image.size[1] / image.size[0]


@pytest.mark.parametrize("name", ["notes.txt", "none.png", "plain.png", "plain.svg"])
def test_a_figure_that_says_nothing_is_refused(tmp_path, name):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    (tmp_path / "plain.svg").write_text("<svg/>")
    with pytest.raises(InputError, match="figure-source"):
        in_words(tmp_path / name)


@pytest.mark.images
def test_drawn_twice_is_the_same_file(run, images, sweep, tmp_path):
    first, second = (
        [*drawn, *sweep_heatmap.draw(sweep, tmp_path / folder, "jobs")]
        for folder, drawn in (("first", images), ("second", draw_all(run, tmp_path)))
    )
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.images
def test_own_settings_neither_matter_nor_change(run, images, tmp_path):
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        odd, *_ = hubs_open.draw(run, tmp_path / "odd")
        assert matplotlib.rcParams["font.size"] == 20
    assert images[0].read_bytes() == odd.read_bytes()


def test_draw_all_of_one_scenario(images):
    assert [path.name for path in images] == [f"{n}{end}" for n in NAMES for end in ENDS]


@pytest.mark.parametrize("which", ["run", "portfolio", "sweep"])
def test_labels_stand_where_laying_out_for_each_would_put_them(which, request, saved, tmp_path, monkeypatch):
    """Most are placed without, since laying out takes most of the time of drawing."""

    def labels():
        draw_all(request.getfixturevalue(which), tmp_path)
        return {
            (name, i, text.get_text()): text.get_position()
            for name, figure in saved.items()
            for i, axes in enumerate(figure.axes)
            for text in axes.texts
        }

    class Nothing(set):
        def __contains__(self, _):
            return False

    placed = labels()
    monkeypatch.setattr(style, "_laid_out", Nothing())
    laid_out = labels()
    assert placed.keys() == laid_out.keys()
    for label, position in placed.items():
        assert position == pytest.approx(laid_out[label], abs=1e-3), label


EXTREMES = {
    "one run": {"replications": 1},
    "five runs": {"replications": 5},
    "never": {"hubs_a_month": 0.0, "jobs_a_hub": 1.0},
    "always": {"hubs_a_month": 90.0},
    "nothing ever": {"hubs_a_month": 0.0, "initial": 0},
    "no spread": {"spread": 0.0},
    "no goals": {"goals": {}},
    "history": HISTORY,
    "one day": {"start": date(2027, 12, 31), "end": date(2027, 12, 31)},
    "one lever, one run": {"replications": 1, "grid": {"calls.mean": [["pert", 35, 48, 75], 48, "none"]}},
    "one lever": {"replications": 4, "grid": {"calls.applications": [144, 48, 96.5]}},
    "long names": {"replications": 2, "grid": {"a_very.long_name." * 8: [1, 2], "unbroken" * 20: [True, False]}},
    "three levers": {"replications": 1, "grid": {"a": [1, 2], "b": [1, 2], "c": [1]}},
    "all failed": {"replications": 2, "failed": (0, 1)},
}


@pytest.mark.parametrize("shape", EXTREMES.values(), ids=EXTREMES)
def test_extremes_draw_without_a_warning(shape, make_run, tmp_path, saved):
    if "failed" in shape:
        run = make_run(replications=1)
        empty = {name: run.table(name).slice(0, 0) for name in ("runs", "monthly", "sites")}
        run.table = empty.__getitem__
    else:
        run = make_run(**shape)
    drawn = draw_all(run, tmp_path)
    drawn += observations.draw(run, tmp_path, OBSERVED)
    assert bool(drawn) == bool(saved) == ("failed" not in shape)


@pytest.mark.parametrize(
    ("kept", "drawn"),
    [
        ("runs", ["outcome_dots", "reference_class"]),
        ("monthly", ["hubs_open", "jobs", "exports"]),
        ("sites", ["time_use"]),
    ],
)
def test_what_was_not_kept_is_not_drawn(kept, drawn, make_run, tmp_path, saved):
    run = make_run(replications=2)
    run.table = {kept: run.table(kept)}.__getitem__
    run.manifest["tables"] = {kept: {}}
    assert [path.stem for path in draw_all(run, tmp_path) if path.suffix == ".png"] == drawn


@pytest.mark.parametrize("levers", [1, 2])
def test_scenarios_without_a_finished_run(levers, make_run, tmp_path, saved):
    grid = dict(list({"a": [1, 2], "b": [3, 4]}.items())[:levers])
    run = make_run(replications=3, grid=grid)
    for kept in (pc.field("scenario") == 0, pc.field("scenario") < 0):
        runs = run.table("runs").filter(kept)
        run.table = {"runs": runs}.__getitem__
        rows = read(sweep_heatmap.draw(run, tmp_path, "jobs"))
        assert rows[-1]["probability_n"] == "0"
        assert rows[-1]["probability_value"] == rows[-1]["mean_value"] == ""


def test_package_is_quick_to_import():
    code = "import sys, sim.figures; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    code = "import sys, sim.figures.hubs_open; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_contours_and_cells_that_may_be_on_either_side(make_run, saved, tmp_path, cut_off):
    goals = {"jobs": {"metric": "jobs_supported", "level": 16_000, "by": "2027-12-31", "label": "16,000 jobs"}}
    grid = {"calls.applications": [48, 96, 144], "rollout.committee": [20, 40, 80]}
    rows = read(sweep_heatmap.draw(make_run(replications=12, grid=grid, goals=goals), tmp_path))
    chances = [(float(row["probability_low"]), float(row["probability_high"])) for row in rows]
    assert min(chances)[0] == 0
    assert max(chances)[1] == 1
    unclear = sum(any(low <= mark <= high for mark in (0.5, 0.9)) for low, high in chances)
    left, _, right = saved["sweep_heatmap_jobs"].axes
    dashed = [patch for patch in left.patches if patch.get_linestyle() != "-"]
    assert 0 < len(dashed) == unclear
    assert {text.get_text() for text in left.texts} >= {"50%"}
    assert right.get_title("left") == "Mean shortfall\nof 16,000"
    assert cut_off(saved["sweep_heatmap_jobs"]) == []


def test_a_list_is_drawn_by_its_names(make_run, tmp_path, saved):
    run = make_run(replications=12, grid={"calls.applications": [48, 96]})
    run.config["sweep"] = {"list": [{"name": "few"}, {"name": "many"}]}
    for scenario, name in zip(run.manifest["scenarios"], ("few", "many"), strict=True):
        scenario["name"] = name
    rows = read(sweep_heatmap.draw(run, tmp_path, "jobs"))
    assert [row["scenario"] for row in rows] == ["few", "many"]
    short = [run["jobs_supported@2027-12-31"] for run in run.table("runs").to_pylist() if run["scenario"] == 0]
    level = run.config["goals"]["jobs"]["level"]
    assert float(rows[0]["shortfall_value"]) == pytest.approx(np.mean([max(0, level - x) for x in short]))
