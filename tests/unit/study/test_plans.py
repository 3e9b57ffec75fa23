"""Plans against worlds, from configuration to summary and figures."""

import csv

import numpy as np
import pytest

from sim.errors import InputError
from sim.results.folder import open_run
from sim.workflow import run
from tests.helpers import config

GOALS = {
    "hubs": {"metric": "hubs_open", "level": 46, "by": "2026-03-31", "label": "46 hubs open", "source": "assumption"},
    "applied": {
        "metric": "applications",
        "level": 90,
        "by": "2026-03-31",
        "label": "90 applied",
        "source": "assumption",
    },
}
PACKAGES = {
    "plan": {"as it is": {}, "more calls": {"calls.interval": 1}, "money": {"programme.hub_share": 1}},
    "world": {"as expected": {}, "few apply": {"calls.applications": 10}},
}


def asked(packages=PACKAGES, goals=("hubs", "applied"), **changes):
    kind = {"kind": "plans", "goals": list(goals)}
    changes = {"replications": 4, "tables": ["runs"], "goals": GOALS, "study": kind} | changes
    return config({**changes, "sweep": {"packages": packages}}, end="2026-03-31")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "run"
    assert run(asked(figures=True), "plans", path) == 0
    return open_run(path)


def test_every_plan_is_judged_in_every_world_by_every_goal(finished):
    cells = finished.summary["cells"]
    assert [(one["goal"], one["plan"], one["world"]) for one in cells] == [
        (goal, plan, world) for goal in GOALS for plan in PACKAGES["plan"] for world in PACKAGES["world"]
    ]
    runs = finished.table("runs").to_pylist()
    for number, cell in enumerate(cells[6:]):
        applied = [row["applications@2026-03-31"] for row in runs if row["scenario"] == number]
        assert cell["mean"] == np.mean(applied)
        assert cell["n"] == 4


def test_regret_is_the_distance_from_the_best_in_the_same_world(finished):
    for world in PACKAGES["world"]:
        here = [one for one in finished.summary["cells"] if one["goal"] == "applied" and one["world"] == world]
        best = max(one["mean"] for one in here)
        assert [one["mean_regret"] for one in here] == pytest.approx([best - one["mean"] for one in here])
    plans = {one["plan"]: one for one in finished.summary["plans"] if one["goal"] == "applied"}
    assert plans["more calls"]["mean_greatest_regret"] == 0
    assert plans["as it is"]["mean_worst_world"] == "few apply"
    assert plans["as it is"]["mean_greatest_regret"] == max(
        one["mean_regret"]
        for one in finished.summary["cells"]
        if one["goal"] == "applied" and one["plan"] == "as it is"
    )


def test_the_answer_says_what_four_runs_can_say(finished):
    assert "4 paired runs cannot tell" in finished.summary["answer"]


def test_figures_and_the_tidy_table(finished):
    names = {file.stem for file in (finished.path / "figures").glob("*.png")}
    assert names == {f"plans_{kind}_{goal}" for kind in ("regret", "dots") for goal in GOALS}
    with (finished.path / "scenarios.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert {(row["plan"], row["world"]) for row in table} == {
        (p, w) for p in PACKAGES["plan"] for w in PACKAGES["world"]
    }
    shortfall = {row["statistic"] for row in table if row["goal"] == "hubs"}
    assert shortfall == {"probability", "mean", "shortfall"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"goals": ["nonsuch"]}, "study.goals: should be some of hubs, applied (got 'nonsuch')"),
        ({"packages": {"plan": {"a": {}, "b": {}}}}, "sweep.packages: should be {plan: at least two, world:"),
        (
            {"packages": {"plan": {"a": {}}, "world": {"b": {}}}},
            "sweep.packages: should be {plan: at least two, world:",
        ),
        ({"packages": {}}, "sweep.packages: should be {plan: at least two, world:"),
    ],
)
def test_what_is_no_study_of_plans(wrong, words, tmp_path):
    with pytest.raises(InputError) as caught:
        run(asked(**wrong), "plans", tmp_path / "run")
    assert str(caught.value).startswith(words)
    assert not (tmp_path / "run").exists()
