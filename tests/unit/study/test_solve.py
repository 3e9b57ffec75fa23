"""What it takes, from configuration to a certified package: small searches over the simulated world."""

import json
from copy import deepcopy
from functools import cache

import pytest

from sim import workflow
from sim.analysis.goals import read_goals
from sim.config import compose_config, plain, read_study
from sim.errors import InputError
from sim.results.folder import open_run
from sim.study import montecarlo, solve
from sim.study.nested import nested

LEVERS = {
    "committee": {
        "label": "{} committee places", "values": [1, 2, 20], "set": ["rollout.committee"], "source": "assumption",
    },
    "rejection": {
        "label": "rejections prevented", "values": [0, 1], "options": [{}, {"rollout.rejection": 0}],
        "source": "assumption",
    },
}  # fmt: skip
ITEMS = {
    "places": {
        "label": "places", "quantity": "committee * years", "amount": 2, "unit": "Rs million", "source": "assumption",
    },
    "help": {"label": "help", "quantity": "rejection", "amount": 30, "unit": "Rs million", "source": "assumption"},
    "grants": {"label": "grants", "quantity": "grants_rs_million", "amount": 1, "unit": "Rs million", "source": "P21"},
}  # fmt: skip
SMALL = {"design": 6, "design_replications": 8, "rounds": 1, "batch": 3, "batch_replications": 8, "candidates": 3,
         "certify_replications": 30}  # fmt: skip
NO_SEARCH = {"design_replications": 2, "rounds": 0}
"""For tests about what comes after the search."""


@cache
def base():
    """The experiment on ten of its 200 states, which take longer to read and write than to run."""
    cfg = plain(compose_config(["experiment=what_it_takes", "workers=1", "replications=8", "figures=false"]))
    cfg["start"]["states"] = cfg["start"]["states"][::20]
    cfg["rollout"]["committee"]["value"] = 1
    cfg["hiring"]["round_days"]["value"] = 365  # no goal or cost here asks who works in the hubs
    cfg["outages"]["frequency"]["value"] = 0
    return cfg


def configured(level=60, end="2026-12-31", **study):
    """Two levers, six plans, a goal within a year: with one place in the committee hardly any hub opens."""
    cfg = deepcopy(base()) | {"end": end}
    cfg["goals"] = {"hubs": cfg["goals"]["hubs_250"] | {"level": level, "by": end, "label": f"{level} hubs open"}}
    costs = cfg["study"]["costs"] | {"items": ITEMS}
    cfg["study"] |= {"goal": "hubs", "target": 0.5, "levers": deepcopy(LEVERS), "costs": costs, **SMALL} | study
    return cfg


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("solve") / "run"
    assert workflow.run(configured() | {"figures": True}, "small", path) == 0
    return open_run(path)


def content(run):
    return json.loads((run.path / "solve.json").read_text())


def test_a_package_is_certified_on_fresh_runs(run):
    found = content(run)
    (*_, last) = [one for one in found["tested"] if one["passed"]]
    assert last["levers"]["committee"] > 1
    assert last["runs"] == 30
    assert last["at_least"] >= 0.5
    seeds = {run.manifest["seed"]}
    for folder in sorted((run.path / "search").iterdir()) + sorted((run.path / "certify").iterdir())[:1]:
        seeds.add(open_run(folder).manifest["seed"])
    assert len(seeds) == 1 + 2 + 1


def test_it_is_not_complete_before_it_is_done(tmp_path, monkeypatch):
    """A process killed while it searches leaves no run that says it is complete."""
    seen, search = [], solve.solve
    path = tmp_path / "run"

    def watched(*arguments):
        seen.append(open_run(path).manifest["status"])
        return search(*arguments)

    monkeypatch.setattr(solve, "solve", watched)
    assert workflow.run(configured(**NO_SEARCH, certify_replications=2), "small", path, quiet=True) == 0
    assert (seen, open_run(path).manifest["status"]) == (["running"], "complete")


def test_nested_runs_are_made_where_the_study_is(run):
    """On as many workers, and on the same cluster."""
    asked = {}

    def sub(config, *_, **__):
        asked.update(config)
        raise KeyboardInterrupt

    study = read_study(configured() | {"workers": 3, "cluster": "tcp://127.0.0.1:8786"})
    with pytest.raises(KeyboardInterrupt):
        nested(run, study, sub, "search", {"point": {}}, 5)
    assert (asked["workers"], asked["cluster"], asked["replications"]) == (3, "tcp://127.0.0.1:8786", 5)


def test_a_plan_some_of_whose_runs_fail_is_not_known(tmp_path, monkeypatch):
    """Whether the runs that fail are those that matter nobody can say: such a plan is certified by no others."""
    simulate = montecarlo.simulate

    def failing(world, seed, replication, *rest):
        if world.rollout.committee.value == 20 and replication % 2:
            raise ValueError("no")
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", failing)
    assert workflow.run(configured(), "small", tmp_path / "run", quiet=True) == 0
    found = content(open_run(tmp_path / "run"))
    assert {one["committee"] for one in found["infeasible"]} == {20}
    assert all(one["levers"]["committee"] < 20 for one in found["tested"])


def test_brute_force_over_all_plans_agrees(run, tmp_path):
    """Cheaper plans than the certified one have, on runs of their own, not shown a chance well above the target."""
    listed = [
        {"name": f"{places} {help}", "rollout.committee": places, **({"rollout.rejection": 0} if help else {})}
        for places in (1, 2, 20)
        for help in (0, 1)
    ]
    cfg = configured() | {"study": {"kind": "montecarlo"}, "replications": 20, "seed": 7, "sweep": {"list": listed}}
    assert workflow.run(cfg, "all", tmp_path / "all", quiet=True) == 0
    chances = {}
    for one, scenario in zip(listed, open_run(tmp_path / "all").summary["scenarios"], strict=True):
        chances[one["rollout.committee"], float("rollout.rejection" in one)] = scenario["goals"][0]["probability"]
    found = content(run)
    years = 412 / 365.25
    (*_, last) = [one for one in found["tested"] if one["passed"]]
    assert chances[last["levers"]["committee"], last["levers"]["rejection"]] > 0.5
    for (places, helped), chance in chances.items():
        cost = (places - 1) * years * 2 + 30 * helped
        if cost < last["cost_rs_million"] - 0.5:
            assert chance < 0.9, (places, helped)


def test_the_cost_is_that_of_the_levers(run):
    for one in content(run)["tested"]:
        years = 412 / 365.25
        cost = (one["levers"]["committee"] - 1) * years * 2 + 30 * one["levers"]["rejection"]
        assert one["cost_rs_million"] == pytest.approx(cost, rel=1e-3)
        assert one["cost_usd_million"] == pytest.approx(one["cost_rs_million"] / 280.77)
        assert sum(line["cost"] for line in one["bill"]) == pytest.approx(one["cost_rs_million"])
        assert [line["name"] for line in one["told"]] == ["grants"]
        assert one["told"][0]["after"] > one["told"][0]["before"] or not one["passed"]  # more hubs open


def test_the_answer_and_the_figures_say_so(run):
    answer = run.summary["answer"]
    assert "60 hubs open by 31 December 2026 with a chance of at least 10 in 20 (50%)" in answer
    assert "committee places (now 1)" in answer
    assert {"cost_frontier.png", "package.png"} <= {file.name for file in (run.path / "figures").iterdir()}
    assert "What the package costs" in (run.path / "report.html").read_text()


def test_it_goes_on_where_it_was_stopped(run, tmp_path, monkeypatch):
    """Ctrl-C within a nested run; what comes out is the same, and so it is with another number of workers."""
    from sim.study import executor, montecarlo

    calls = []

    def stop(task, keys, *_):
        calls.append(keys)
        for number, result in enumerate(executor.run_tasks(task, keys, 1)):
            if len(calls) == 3 and number == 1:
                raise KeyboardInterrupt
            yield result

    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(montecarlo, "run_tasks", stop)
        assert workflow.run(configured(), "small", path) == workflow.INTERRUPTED
    assert open_run(path).manifest["status"] == "interrupted"
    assert not (path / "solve.json").exists()
    assert workflow.run(configured() | {"workers": 2}, "small", path) == 0
    assert (path / "solve.json").read_bytes() == (run.path / "solve.json").read_bytes()


def test_a_target_out_of_reach(tmp_path):
    assert workflow.run(configured(level=400, **NO_SEARCH), "small", tmp_path / "run", quiet=True) == 0
    summary = open_run(tmp_path / "run").summary
    assert summary["answer"].startswith("No plan in these ranges was found for this: 400 hubs open by 31 December 2026")
    assert "got there in 0 of 30 fresh runs" in summary["answer"]
    assert "applications on average" in summary["answer"]  # limited by
    assert not any(one["passed"] for one in summary["tested"])


def test_a_budget_of_nothing(tmp_path):
    assert workflow.run(configured(level=56, budget=0), "small", tmp_path / "run", quiet=True) == 0
    answer = open_run(tmp_path / "run").summary["answer"]
    assert answer.startswith("Not shown to be reachable in these ranges and within a budget of Rs 0 million ($0m)")
    assert "(things as they are; Rs 0 million" in answer


def one_tested(cost, successes, passed, **levers):
    return {"levers": {"committee": 1, "rejection": 0} | levers, "cost_rs_million": cost, "successes": successes,
            "runs": 500, "passed": passed, "probability": successes / 500}  # fmt: skip


def said(*ladder, alone=None):
    """The answer from tested plans."""
    study = read_study(configured(target=0.8))
    content = {"tested": list(ladder), "alone": alone, "alone_seen": [], "limited_by": None}
    content["chosen"] = solve._chosen(content)
    (goal,) = (one for one in read_goals(configured()["goals"]) if one.name == "hubs")
    return solve._answer(study.study, goal, content, None)


def test_one_lever_that_costs_less_is_the_cheapest_package():
    text = said(one_tested(9000, 450, True, committee=20, rejection=1), alone=one_tested(3000, 430, True, committee=20))
    assert "the cheapest package that stood the test costs Rs 3,000 million" in text
    assert text.endswith("That is one lever alone.")
    assert (
        said(one_tested(9000, 390, False, committee=20), alone=one_tested(3000, 430, True, rejection=1)).count("3,000")
        == 1
    )


def test_what_was_not_certified_may_yet_be_reachable():
    assert said(one_tested(9000, 413, False, committee=20)).startswith("Not shown to be reachable in these ranges: ")
    assert "Its chance may be up to 85%" in said(one_tested(9000, 413, False, committee=20))
    assert said(one_tested(9000, 300, False, committee=20)).startswith("No plan in these ranges was found for this: ")


def test_a_goal_that_is_met_anyway(tmp_path):
    assert workflow.run(configured(level=20, **NO_SEARCH), "small", tmp_path / "run", quiet=True) == 0
    assert (
        "nothing needs to change. As things are it got there in 30 of 30 fresh runs"
        in (open_run(tmp_path / "run").summary["answer"])
    )


def test_a_combination_that_cannot_be_leaves_the_others_alone(tmp_path):
    """Each lever alone is fine; together the standard deviation is too small for so many applications."""
    levers = deepcopy(LEVERS) | {
        "spread": {"label": "spread", "values": [25, 9], "set": ["calls.applications_sd"], "source": "assumption"},
    }
    cfg = configured(levers=levers)
    cfg["calls"]["applications"]["value"] = 60
    levers["rejection"]["options"][1] = {"rollout.rejection": 0, "calls.applications": 90}
    cfg["study"]["costs"]["items"].pop("help")
    assert workflow.run(cfg, "small", tmp_path / "run", quiet=True) == 0
    found = content(open_run(tmp_path / "run"))
    assert all(one == one | {"rejection": 1, "spread": 9} for one in found["infeasible"])
    assert any(one["passed"] for one in found["tested"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal": "nothing"}, "study.goal: should be one of hubs; got 'nothing'"),
        ({"target": 1.5}, "study.solve.target: should be less than 1 (got 1.5)"),
        ({"budget": -1}, "study.solve.budget: should be greater than or equal to 0 (got -1)"),
        ({"levers": {}}, "study.solve.levers"),
    ],
)
def test_mistakes_are_said_before_anything_is_run(tmp_path, change, message):
    with pytest.raises(InputError) as caught:
        workflow.run(configured(**change), "small", tmp_path / "run")
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("lever", "message"),
    [
        ({"values": [1, 0]}, "study.levers.committee.values.1 (0): rollout.committee: should be at least 1 (places) "
                             "(got 0)"),
        ({"set": ["rollout.comittee"]}, "study.levers.committee.values.1 (2): rollout.comittee: no such key, did you "
                                        "mean rollout.committee?"),
        ({"values": [1, 3, 2]}, "should rise or fall from how things are to the end, got [1.0, 3.0, 2.0]"),
        ({"set": []}, "should change something: set, scale or options"),
        ({"options": [{}]}, "should have one mapping a value"),
        ({"values": [3, 9]}, "study.levers.committee.values.0 (3): should be as things are; rollout.committee is 1, "
                             "not 3"),
        ({"set": [], "scale": {"rollout.committee": 2}}, "should be as things are; rollout.committee is 1, not 2"),
        ({"set": ["calls.interval"]}, "should be as things are; calls.interval is uniform(6, 12), on average 9, not 1"),
        ({"options": [{"rollout.refusal.value": ["beta", 7, 12]}, {}, {}]},
         "should be as things are; rollout.refusal is beta(7, 13), on average 0.41, not beta(7, 12)"),
        ({"options": [{"rollout.refusal.value": ["beta", 7]}, {}, {}]}, "as things are; rollout.refusal: beta"),
        ({"value": 3}, "no such key"),
    ],
)  # fmt: skip
def test_mistakes_in_a_lever(tmp_path, lever, message):
    cfg = configured()
    cfg["study"]["levers"]["committee"] |= lever
    with pytest.raises(InputError) as caught:
        workflow.run(cfg, "small", tmp_path / "run")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        ("comittee * years", "study.costs.items.places.quantity: names comittee; known are committee, months"),
        ("rollout.comittee * committee", "quantity: names rollout.comittee; known are committee, months"),
        ("committee - years", "study: the quantity of places should not be less than 0, got -0.12"),
        ("committee ** 2", "should be numbers and names with + - * / and brackets"),
        ("years / (2 - committee)", "study: years / (2 - committee) divides by 0"),
    ],
)
def test_mistakes_in_costs(tmp_path, quantity, message):
    cfg = configured()
    cfg["study"]["costs"]["items"] = deepcopy(ITEMS)
    cfg["study"]["costs"]["items"]["places"]["quantity"] = quantity
    with pytest.raises(InputError) as caught:
        workflow.run(cfg, "small", tmp_path / "run")
    assert message in str(caught.value)


def test_the_first_value_of_a_lever_is_the_mean_over_the_runs():
    """To two digits: of the states of the start date, which hold the share of the line, or else of its distribution."""
    cfg = configured()
    states = cfg["start"]["states"]
    for i, state in enumerate(states):
        state["parameters"]["programme.hub_share"] = (0.12, 0.144)[i % 2]
    lever = cfg["study"]["levers"]["committee"] | {"set": ["programme.hub_share"], "values": [0.13, 0.5, 1]}
    cfg["study"]["levers"]["committee"] = lever
    solve.check(cfg, read_study(cfg))
    cfg["start"]["states"] = []
    study = read_study(cfg)
    with pytest.raises(InputError, match=r"on average 0\.2, not 0\.13"):
        solve.check(cfg, study)


def test_costs_may_name_parameters_as_things_are():
    """The mean of what is drawn: pert(4, 9, 10) has 50/6, and beta(7, 13) over the states what they hold."""
    cfg = configured()
    for state in cfg["start"]["states"]:
        state["parameters"]["rollout.refusal"] = 0.25
    cfg["study"]["costs"]["items"] = {"loans": ITEMS["places"] | {"quantity": "rollout.loan * rollout.refusal"}}
    study = read_study(cfg)
    fixed = solve._fixed(study, study.study)
    assert fixed["rollout.loan"] == pytest.approx(50 / 6, rel=1e-4)
    assert fixed["rollout.refusal"] == 0.25


def test_nothing_is_changed_where_levers_are_as_they_are():
    """So that the plan as it is keeps what is uncertain of it; multiples of whole numbers are rounded."""
    from sim.config import Lever

    lever = Lever.model_validate(
        {"label": "x", "values": [1, 1.5], "set": ["a"], "scale": {"b": 3, "c": 0.5}, "source": "assumption"}
    )
    assert lever.overrides(0) == {}
    assert lever.overrides(1) == {"a": 1.5, "b": 5, "c": 0.75}
