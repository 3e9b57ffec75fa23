"""A small calibration from configuration to the states the forecast starts from."""

import json
import re
from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from sim import workflow
from sim.config import compose_config, plain, read_study
from sim.errors import InputError
from sim.model.clock import DAYS_PER_MONTH
from sim.model.parameters import FISCAL_DRAWS, UnderWay
from sim.model.site import STAGES, State
from sim.model.world import simulate
from sim.results.folder import open_run
from sim.study import calibrate
from sim.study.design import uniforms

SMALL = ["experiment=calibrated", "replications=400", "study.draws=12", "study.truths=10", "seed=4", "workers=1",
         "study.forecast_replications=2", "figures=false"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """400 runs say little; two years are cut short in the forecast."""
    path = tmp_path_factory.mktemp("calibrated") / "run"
    forecast = calibrate.compose_config

    def short(overrides):
        return forecast([*overrides, "end=2027-12-31"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "LEAST", 2)
        patch.setattr(calibrate, "compose_config", short)
        assert workflow.run(plain(compose_config(SMALL)), "calibrated", path) == 0
    return open_run(path)


def read(run, name):
    return json.loads((run.path / name).read_text())


def test_the_states_are_those_of_the_kept_runs_as_the_last_day_begins(run):
    states = read(run, "states.json")["states"]
    assert len(states) == 12
    study = read_study(run.config)
    eve = study.model_copy(update={"end": study.end - timedelta(days=1)})
    rows = run.table("runs").to_pylist()
    for state in {json.dumps(one) for one in states}:
        state = json.loads(state)
        (row,) = (
            row for row in rows if all(row[f"param.{path}"] == value for path, value in state["parameters"].items())
        )
        (point,) = uniforms(study, row["replication"], row["replication"] + 1)
        record = simulate(eve, study.seed, row["replication"], None, point)
        assert state["balance"] == pytest.approx(record.balance[-1], abs=1e-3)
        under_way = zip(*(record.sites[name].tolist() for name in ("state", "region", "brownfield")), strict=True)
        hubs = [(stage, region, brownfield) for stage, _, region, brownfield, *_ in state["hubs"]]
        assert sorted(hubs) == sorted(
            hub for hub in under_way if hub[0] in State.__members__ and State[hub[0]] in STAGES
        )
        left = record.sites["work_left_days"][np.isfinite(record.sites["work_left_days"])]
        known = (UnderWay(*hub) for hub in state["hubs"])
        days = sorted(hub.left * (hub.abandoned_at or 1) for hub in known if hub.left is not None)
        assert days == pytest.approx(sorted(left), abs=0.006)
        assert state["released"] in ("2025-07-01", "2025-10-01")
        assert [len(draws) for draws in state["fiscal_years"].values()] == [FISCAL_DRAWS]


def test_states_kept_are_of_runs_that_count_and_as_large_as_these(run):
    rows = {json.dumps({path: row[f"param.{path}"] for path in run.config["study"]["parameters"]}): row
            for row in run.table("runs").to_pylist()}  # fmt: skip
    kept = read(run, "states.json")["states"]
    ends = [rows[json.dumps(state["parameters"])] for state in kept]
    assert all(row["months_since_call@2025-11-14"] <= 12 + 11.5 / DAYS_PER_MONTH for row in ends)
    under_way = [row["in_progress@2025-11-14"] for row in ends]
    assert under_way == sorted(under_way)
    assert np.abs(np.array(under_way) - [len(state["hubs"]) for state in kept]).max() <= 2  # a day lies between
    hubs = np.array([row["hubs_open@2025-11-14"] for row in ends])
    assert ((hubs > 30) & (hubs < 55)).all()  # 40 to 45 were counted, give or take 3


def test_runs_without_a_call_when_there_was_one_do_not_count(run):
    """Calls come 6 to 12 months one after another, and one came 11.5 days before the runs end."""
    content = read(run, "calibration.json")
    since = np.array(run.table("runs")["months_since_call@2025-11-14"]) - 11.5 / DAYS_PER_MONTH
    assert since.min() >= 6
    assert content["possible"] == (since <= 12).sum()
    assert 0 < content["effective_sample_size"] <= content["possible"] < content["runs"] == 400


def test_last_calls_count_as_the_calls_of_a_world_that_had_one_on_that_day(run):
    """As calls every 6 to 12 months, of which those are kept that had a call on the day, by rejection."""
    rng = np.random.default_rng(5)
    call = (date(2025, 11, 3) - date(2023, 10, 31)).days / DAYS_PER_MONTH
    times = np.cumsum(rng.uniform(6, 12, size=(400_000, 4)), axis=1)
    near = np.abs(times - call) < 0.05
    gaps = call - times[:, :-1][near[:, 1:]]  # from the call before to that on the day
    since = np.array(run.table("runs")["months_since_call@2025-11-14"]) - 11.5 / DAYS_PER_MONTH
    assert stats.ks_2samp(gaps, since[since <= 12]).pvalue > 1e-3
    survived = rng.uniform(6, 12, size=len(gaps)) > gaps  # as if the next call had not come by itself
    assert stats.ks_2samp(gaps[survived], since[since <= 12]).pvalue < 1e-3


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("start.next_call=null", "start.next_call: should be the call"),
        ("calls.interval=9", "calls.interval: should be uniform"),
        ("calls.interval.value=[uniform,4,12]", "at most twice the shortest"),
        ("calls.interval.value=[triangular,6,9,12]", "got triangular(6, 9, 12)"),
        ("start.next_call=2024-04-20", "start.next_call should come 183 days"),
        ("calls.interval=1e9", "start.next_call should come 30,437,500,000 days"),
        ("end=2026-06-01", "the end, 2026-06-01, at most as long after it; got 2025-11-03"),
        ("start.next_call=2026-01-01", "start.next_call should come"),
        ("start.next_call=2025-09-30", "should be a call that experiment=baseline holds, 2025-11-03; got 2025-09-30"),
    ],
)
def test_what_it_cannot_weigh_by_is_refused(override, named, tmp_path):
    with pytest.raises(InputError, match=re.escape(named)):
        workflow.run(plain(compose_config([*SMALL, override])), "calibrated", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_prior_and_posterior_stand_side_by_side(run):
    content = read(run, "calibration.json")
    assert list(content["parameters"]) == run.config["study"]["parameters"]
    for sides in content["parameters"].values():
        for side in ("prior", "posterior"):
            assert sides[side]["p05"] <= sides[side]["p50"] <= sides[side]["p95"]
    last = content["counts"][-1]
    assert (last["date"], last["low"], last["high"]) == ("2025-11-14", 40, 45)
    width = {side: last[side]["p95"] - last[side]["p05"] for side in ("prior", "posterior")}
    assert width["posterior"] < width["prior"] / 2
    assert last["posterior"]["crps"] < last["prior"]["crps"]


def test_the_forecast_is_run_under_both(run):
    forecast = open_run(run.path / "forecast")
    assert [scenario["name"] for scenario in forecast.manifest["scenarios"]] == ["prior", "posterior"]
    rows = forecast.table("runs").to_pylist()
    kept = {json.dumps(state["parameters"]) for state in read(run, "states.json")["states"]}
    for row in rows:
        values = {path: row[f"param.{path}"] for path in run.config["study"]["parameters"]}
        assert (json.dumps(values) in kept) == (row["scenario"] == 1)
    assert "posterior against prior: " in forecast.summary["answer"]
    # The manifest holds the states, so that it can be run again without the file.
    assert not (forecast.path / "figures").exists()  # as was asked of the whole
    options = forecast.config["sweep"]["options"]["start.states_file"]
    assert options[str(run.path / "states.json")]["states"] == read(run, "states.json")["states"]


def test_no_draw_that_matches_is_said(tmp_path, monkeypatch):
    cfg = plain(compose_config([*SMALL[:1], "replications=20", "workers=1", "figures=false"]))
    assert workflow.run(cfg, "calibrated", tmp_path / "run") == 0
    answer = open_run(tmp_path / "run").summary["answer"]
    assert answer.startswith("No answer: of 20 runs of the design too few agree with the counts")
    assert "Nothing was kept" in answer
    assert not (tmp_path / "run" / "states.json").exists()
