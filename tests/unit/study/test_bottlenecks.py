"""Bottlenecks, from configuration to shares of the gap: a small study of the simulated world."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from sim import workflow
from sim.config import compose_config, plain
from sim.errors import InputError
from sim.results.folder import open_run
from sim.study import montecarlo


def configured(end="2026-12-31"):
    """Three groups of three limits, a goal within a year."""
    cfg = plain(
        compose_config(["experiment=bottlenecks", f"end={end}", "workers=1", "replications=6", "figures=false"])
    )
    cfg["goals"] = {
        name: cfg["goals"][name] | {"by": end, "level": level}
        for name, level in (("hubs_250", 90), ("jobs_25000", 6000))
    }
    cfg["start"]["states"] = cfg["start"]["states"][::10]  # reading and writing all takes a while
    limits = cfg["study"]["limits"]
    cfg["study"] |= {
        "limits": {name: limits[name] for name in ("applications", "rejections", "demand")},
        "groups": {"calls": ["applications"], "approval": ["rejections"], "people": ["demand"]},
        "group_replications": 4,
    }
    return cfg


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("bottlenecks") / "run"
    assert workflow.run(configured() | {"figures": True}, "small", path) == 0
    return open_run(path)


def content(run):
    return json.loads((run.path / "bottlenecks.json").read_text())


def test_the_steps_add_up_to_the_goal(run):
    for gap in content(run)["gaps"]:
        steps = sum(step["shapley"]["value"] for step in gap["steps"])
        assert gap["mean"]["value"] + steps + gap["still_short"] == pytest.approx(gap["level"])
        assert gap["still_short"] >= 0
        assert gap["runs"] == 4


def test_what_people_do_opens_no_hub(run):
    hubs, jobs = content(run)["gaps"]
    people = {gap["metric"]: next(s for s in gap["steps"] if s["group"] == "people") for gap in (hubs, jobs)}
    assert people["hubs_open"]["shapley"]["value"] == 0
    assert people["jobs_supported.hub"]["shapley"]["value"] > 0
    rejections = next(step for step in hubs["steps"] if step["group"] == "approval")
    assert rejections["alone"]["value"] > 0


def test_removing_helps_and_tightening_hurts(run):
    for one in content(run)["limits"]:
        for difference in one["differences"]:
            if not difference["is_goal"] and difference["difference"]:
                assert (difference["difference"] > 0) == (one["side"] == "removed"), (one["limit"], one["side"])
            assert difference["n"] == 6


def test_hubs_under_way_by_month_are_those_of_the_monthly_table(run):
    table = pq.read_table(run.path / "tables" / "under_way.parquet")
    days = table.column("month_end").to_numpy().astype("datetime64[D]")
    hubs = table.column("hubs").to_numpy()
    monthly = run.table("monthly")
    when = monthly.column("month_end").to_numpy().astype("datetime64[D]")
    stages = ("evaluation", "finance", "money", "fit_out", "connectivity")
    for day in np.unique(days):
        recorded = sum(monthly.column(stage).to_numpy()[when == day].sum() for stage in stages)
        assert hubs[days == day].sum() == pytest.approx(recorded / 6), day


def test_the_answer_and_the_figures(run):
    answer = run.summary["answer"]
    assert "counted up to the goal" in answer
    assert "Of the hubs under way at a month end" in answer
    names = {file.name for file in (run.path / "figures").iterdir()}
    assert {"gap_hubs_250.png", "gap_jobs_25000.png", "limits.png", "under_way.png"} <= names
    assert "Each limit by itself" in (run.path / "report.html").read_text()


def test_counterfactual_runs_that_fail_are_counted_and_left_out_with_their_pairs(tmp_path, monkeypatch):
    """Where demand is removed replication 2 breaks: in one limit of six, and in four of the seven combinations."""
    simulate, cfg = montecarlo.simulate, configured()
    removed = cfg["study"]["limits"]["demand"]["removed"]["hiring.occupancy"]

    def breaking(study, seed, luck, *rest):
        if luck == 2 and study.hiring.occupancy.value == removed:
            raise ArithmeticError("broken on purpose")
        return simulate(study, seed, luck, *rest)

    monkeypatch.setattr(montecarlo, "simulate", breaking)
    assert workflow.run(cfg, "small", tmp_path / "run") == 0
    run = open_run(tmp_path / "run")
    said = "5 of 64 counterfactual runs failed; their pairs are left out."  # 6 limits of 6 runs, 7 combinations of 4
    assert run.summary["answer"].endswith(said)
    assert all(table["note"].endswith(said) for table in run.summary["tables"])
    assert {gap["runs"] for gap in content(run)["gaps"]} == {3}
    assert {one["n"] for limit in content(run)["limits"] for one in limit["differences"]} == {5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goals": ["nothing"]}, "study.goals: should be of hubs_250, jobs_25000; got 'nothing'"),
        ({"groups": {"a": ["rain"]}}, "study.groups: should name each limit at most once"),
        ({"groups": {"a": ["demand"], "b": ["demand"]}}, "got 'demand'"),
        ({"group_replications": 1}, "study.bottlenecks.group_replications"),
    ],
)
def test_mistakes_are_said_before_anything_is_run(tmp_path, change, message):
    cfg = configured()
    cfg["study"] |= change
    with pytest.raises(InputError) as caught:
        workflow.run(cfg, "small", tmp_path / "run")
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_limit_that_is_no_key(tmp_path):
    cfg = configured()
    cfg["study"]["limits"]["demand"]["removed"] = {"hiring.ocupancy": 1}
    with pytest.raises(InputError, match=r"study.limits.demand.removed: hiring.ocupancy: no such key, did you mean"):
        workflow.run(cfg, "small", tmp_path / "run")
