"""The studies that explain: small runs from configuration to the answer, and what is said when there is none."""

import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from sim import workflow
from sim.config import compose_config, plain, read_study
from sim.errors import InputError
from sim.results.folder import open_run
from sim.study import discover, montecarlo, outcomes, sensitivity, value_of_information

SOON = "2026-03-31"


def goal(level):
    return {"some": {"metric": "hubs_open", "level": level, "by": SOON, "label": f"{level} hubs open", "source": "A04"}}


def small(experiment, replications, level=52, **plan):
    cfg = plain(compose_config([f"experiment={experiment}"]))
    cfg |= {"end": SOON, "goals": goal(level), "replications": replications, "workers": 1, "figures": False}
    cfg["study"] |= plan
    return cfg


@pytest.fixture
def run(tmp_path):
    """Run a configuration and hand over its folder."""

    def go(cfg, name="run"):
        assert workflow.run(cfg, "small", tmp_path / name) == 0
        return open_run(tmp_path / name)

    return go


SENSITIVE = {"outcomes": ["hubs_open", "some"], "parameters": ["start.open_hubs", "hiring.occupancy"],
             "levers": {"rollout.committee": [40, 160]}, "rows": 2, "resamples": 100}  # fmt: skip


def test_what_matters(run):
    """Hubs open four months on depend on hubs open now, by one each, and not on how full hubs are."""
    done = run(small("what_matters", 130, **SENSITIVE))
    content = json.loads((done.path / "sensitivity.json").read_text())
    assert content["runs"] == 130 // 31 * 31 == 124
    hubs = content["outcomes"]["hubs_open"]
    swings = {one["input"]: one for one in hubs["swings"]}
    assert (swings["start.open_hubs"]["at_low"], swings["start.open_hubs"]["at_high"]) == (40, 45)
    assert 4 <= swings["start.open_hubs"]["swing"] <= 5.5
    assert swings["hiring.occupancy"]["swing"] == 0
    effects = {one["input"]: one for one in hubs["effects"]}
    assert effects["start.open_hubs"]["mu"] == pytest.approx(3, abs=0.5)
    assert effects["hiring.occupancy"]["mu_star"] == 0
    assert [one["input"] for one in hubs["indices"]] == ["start.open_hubs", "hiring.occupancy"]
    assert hubs["luck"]["low"] > 0.1  # within four months it is luck, and by far not the parameters alone
    answer = done.summary["answer"]
    assert answer.startswith("Hubs open on 31 March 2026: ")
    assert "is luck" in answer
    for name in ("indices", "effects", "swings"):
        assert (done.path / "tables" / f"sensitivity_{name}.csv").read_text().startswith("outcome,input")


def test_a_budget_is_extended_by_whole_rounds(run):
    """More replications go on from fewer, and come to what they would have come to alone."""
    cfg = small("what_matters", 124, **SENSITIVE)
    run(cfg)
    more = run(cfg | {"replications": 140})
    alone = run(cfg | {"replications": 140}, "alone")
    assert (more.path / "sensitivity.json").read_bytes() == (alone.path / "sensitivity.json").read_bytes()


def test_where_it_fails(tmp_path):
    """A run whose outcome hangs on two of four inputs, and on nothing else."""
    n = 600
    rng = np.random.default_rng(1)
    x = rng.random((n, 4))
    missed = ((x[:, 0] < 0.5) & (x[:, 3] < 0.6)) ^ (rng.random(n) < 0.1)
    names = ["param.hiring.occupancy", "param.hiring.ramp", "param.talent.trainees", "in_progress@2025-11-14"]
    table = pa.table({
        "replication": np.arange(n), "error": pa.nulls(n, pa.string()), **dict(zip(names, x.T, strict=True)),
        "reached.some": pa.array([None if one else date(2026, 1, 31) for one in missed], pa.date32()),
    })  # fmt: skip
    study = read_study(small("where_it_fails", n, goal="some", permutations=19, coverage=0.4))
    summary = discover.finish(SimpleNamespace(path=tmp_path, table=lambda name: table), study, None)
    content = json.loads((tmp_path / "boxes.json").read_text())
    assert content["missed"] == missed.sum()
    box = content["boxes"][0]
    limits = {one["input"]: one for one in box["limits"]}
    assert set(limits) == {"hiring.occupancy", "in_progress@2025-11-14"}
    assert limits["hiring.occupancy"]["high"] == pytest.approx(0.5, abs=0.12)
    assert box["density"]["low"] < 0.9 < box["density"]["high"] + 0.02
    assert box["density"]["n"] < n / 2  # on the runs it was not found with
    answer = summary["answer"]
    assert "hubs under way on the start date " in answer
    assert "mean stable occupancy " in answer
    assert (tmp_path / "tables/boxes.csv").read_text().startswith("box,input,low,high")


def by_state(n, number, tell):
    """Runs that begin with one of some states, which decide how they end: by a parameter, or by what else there is."""
    rng = np.random.default_rng(2)
    state = rng.integers(0, number, n)
    share, what_else = rng.uniform(0.1, 0.3, number), rng.uniform(0.1, 0.3, number)
    missed = (share if tell else what_else)[state] + 0.02 * rng.standard_normal(n) < 0.2
    return state, missed, pa.table({
        "replication": np.arange(n), "error": pa.nulls(n, pa.string()), "param.programme.hub_share": share[state],
        "param.rollout.refusal": rng.random(number)[state], "param.hiring.ramp": rng.random(n),
        "hubs_open@2026-03-31": np.where(missed, 40.0, 60.0) + 10 * rng.random(n),
        "reached.some": pa.array([None if one else date(2026, 1, 31) for one in missed], pa.date32()),
    })  # fmt: skip


@pytest.mark.parametrize(("tell", "said"), [
    (True, "It fails above all with share of the line meant for hubs below 0."),
    (False, "These runs cannot tell where: no limits on the uncertain parameters part them better than chance would"),
])  # fmt: skip
def test_where_it_fails_compares_states_and_not_runs(tmp_path, monkeypatch, tell, said):
    """600 runs of 40 states tell no more of what comes with a state than 40 do."""
    seen = []
    halves = discover.halves
    monkeypatch.setattr(discover, "halves", lambda *args: seen.append((args[0], halves(*args))) or seen[0][1])
    state, missed, table = by_state(600, 40, tell)
    study = read_study(small("where_it_fails", 600, goal="some", permutations=39, also=[], boxes=1))
    summary = discover.finish(SimpleNamespace(path=tmp_path, table=lambda name: table), study, None)
    assert said in summary["answer"]
    assert summary["groups"] == 40
    misses = summary["misses"]
    assert misses["value"] == missed.mean()
    assert misses["high"] - misses["low"] > 0.2  # of 600 runs by themselves 0.08
    ((group, training),) = seen
    assert not set(state[training]) & set(state[~training])
    assert len(np.unique(group[training])) == 20
    for box in summary["boxes"]:
        assert all(box["density"]["high"] - box["density"]["low"] > 0.1 for one in box["limits"])


def test_a_box_that_is_found_by_no_single_limit_is_not_told_as_chance():
    boxes = {"misses": {"value": 0.5, "low": 0.4, "high": 0.6}, "boxes": [{"p": 0.01, "limits": []}]}
    answer = discover._answer(None, "the goal", boxes, "")
    assert "some limits on the uncertain parameters part them better than chance would (p = 0.01)" in answer
    assert "10 in 20 runs miss the goal (40% to 60%). These runs cannot tell where" in answer
    assert "too few miss it" in discover._answer(None, "the goal", boxes | {"boxes": []}, "")


def test_runs_of_a_state_are_known_by_its_parameters():
    study = read_study(small("where_it_fails", 30, goal="some"))
    state, _, table = by_state(200, 12, True)
    group = outcomes.states([table], study)
    assert len(np.unique(group)) == 12
    assert all(len(set(group[state == one])) == 1 for one in range(12))
    both = outcomes.states(
        [table.drop_columns("param.programme.hub_share"), table.drop_columns("param.rollout.refusal")], study
    )
    assert (both == group).all()
    assert (
        outcomes.states([table.take([0] * 5)], study) == np.arange(5)
    ).all()  # all begin alike: luck is all there is
    without = study.model_copy(update={"start": study.start.model_copy(update={"states": []})})
    assert (outcomes.states([table], without) == np.arange(200)).all()


@pytest.mark.parametrize(("low", "said"), [
    (0.0, "cannot tell whether any parameter is worth finding out before deciding"),
    (0.5, "cannot tell which parameter is worth finding out before deciding"),
])  # fmt: skip
def test_what_nothing_survives_is_said_of_the_runs(low, said):
    item = {"low": 0.0, "high": 2.0, "value": 1.0}
    option = {"name": "a", "mean": 3.0, "low": 2.0, "high": 4.0}
    one = {"label": "to go", "unit": "hubs", "best": "a", "options": [option], "inputs": [item],
           "everything": {"value": 1.5, "low": low, "high": 3.0}}  # fmt: skip
    assert said in value_of_information._answer(None, one)
    assert "come to the same" not in value_of_information._answer(None, one | {"inputs": []})
    same = one | {"inputs": [], "options": [option | {"low": 3.0, "high": 3.0}]}
    assert "cannot tell what is worth finding out: all of them come" in value_of_information._answer(None, same)


@pytest.mark.parametrize(("level", "said"), [(1, "None of 30 runs misses"), (900, "Every one of 30 runs misses")])
def test_where_it_fails_says_when_all_runs_end_alike(run, level, said):
    answer = run(small("where_it_fails", 30, level, goal="some")).summary["answer"]
    assert answer.startswith(f"{said} {level} hubs open by 31 March 2026")
    assert "Take a plan" in answer


def test_what_to_find_out(run, monkeypatch):
    """Which of two plans is better is known, so that finding out is worth nothing; go or no-go is not."""
    monkeypatch.setattr(value_of_information, "FEWEST", 30)
    cfg = small(
        "what_to_find_out", 40, resamples=100,
        decisions={
            "choice": {"label": "to open hubs", "unit": "hubs", "value": {"hubs_open": 1.0}},
            "go": {"label": "to go", "unit": "hubs", "value": {"hubs_open": 1.0}, "plans": ["as it is"], "bar": 56.0},
        },
    )  # fmt: skip
    cfg["sweep"] = {"list": [{"name": "as it is"}, {"name": "none abandoned", "rollout.abandonment": 0.0}]}
    cfg["sweep"]["list"][0]["rollout.abandonment"] = cfg["rollout"]["abandonment"]
    done = run(cfg)
    decisions = json.loads((done.path / "value_of_information.json").read_text())["decisions"]
    assert decisions["choice"]["best"] == "none abandoned"
    assert decisions["choice"]["everything"]["value"] == pytest.approx(0, abs=0.3)
    assert [option["name"] for option in decisions["go"]["options"]] == ["not going ahead", "as it is"]
    assert decisions["go"]["inputs"]
    assert done.summary["answer"].startswith("To open hubs: as things stand, none abandoned is best")


def test_a_failed_replication_does_not_take_the_answer_away(tmp_path, monkeypatch):
    simulate = montecarlo.simulate

    def failing(world, seed, replication, *rest):
        if replication == 3:
            raise ValueError("no")
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", failing)
    cfg = small("where_it_fails", 30, 900, goal="some")
    assert workflow.run(cfg, "small", tmp_path / "run") == workflow.FAILED
    done = open_run(tmp_path / "run")
    assert done.manifest["status"] == "failed"
    assert done.summary["answer"].startswith("Every one of 29 runs misses")


def test_few_runs_are_not_enough_to_learn_from(run):
    choice = {"label": "to open hubs", "unit": "hubs", "value": {"hubs_open": 1.0}}
    answer = run(small("what_to_find_out", 2, decisions={"choice": choice})).summary["answer"]
    assert answer.startswith("No answer: 2 runs of each plan are too few")


BAD = [
    ("what_matters", ["+sweep.grid={calls.interval:[3,9]}"], ["sweep should be empty for study.kind=sensitivity"]),
    ("what_it_takes", ["+sweep.grid={calls.interval:[3,9]}"], ["sweep should be empty for study.kind=solve"]),
    ("what_it_takes", ["design=sobol"], ["design should be random for study.kind=solve", "sobol"]),
    ("what_it_takes", ["study.costs.items.money.amount=1e308"], ["the cost of some plan is no finite number"]),
    ("what_to_find_out", ["sweep.list=[{name:a},{name:a}]"], ["a name of its own", "'a' twice"]),
    ("what_to_find_out", ["study.decisions.hubs.value.hubs_open=nan"], ["hubs_open", "finite number"]),
    ("baseline", ["+sweep.grid={calls:[3]}"], ["sweep.grid.calls: should be one of", "got 3"]),
    ("baseline", ["+sweep.grid={start.states_file:[3]}"], ["should be the name of a file of states"]),
    ("what_matters", ["study.parameters=[hiring.ocupancy]"], ["did you mean hiring.occupancy?", "hiring.ocupancy"]),
    ("what_matters", ["study.parameters=[rollout.committee]"], ["rollout.committee is the number 80", "distribution"]),
    ("what_matters", ["study.parameters=[rollout.evaluation]"], ["drawn per hub", "luck"]),
    ("what_matters", ["study.outcomes=[hubs_opened]"], ["did you mean hubs_open?", "hubs_opened"]),
    ("what_matters", ["+study.levers={rollout.comittee:[1,2]}"], ["did you mean rollout.committee?"]),
    ("what_matters", ["+study.levers={rollout.committee:[0,160]}"], ["study.levers", "at least 1"]),
    ("what_matters", ["replications=0"], ["replications", "greater than or equal to 1"]),
    ("what_matters", ["replications=100"], ["replications: should be at least", "rounds of the design", "100"]),
    ("what_matters", ["study.lucks=1"], ["study.sensitivity.lucks", "2"]),
    ("what_matters", ["design=random"], ["design should be sensitivity"]),
    ("baseline", ["design=sensitivity"], ["study=sensitivity", "montecarlo"]),
    ("where_it_fails", ["study.goal=hubs_25"], ["did you mean hubs_250?", "hubs_25"]),
    ("where_it_fails", ["study.coverage=1.5"], ["coverage", "less than 1", "1.5"]),
    ("what_to_find_out", ["study.decisions.go.plans=[more mony]"], ["study.decisions.go.plans", "more mony"]),
    ("what_to_find_out", ["+study.decisions.hubs.bar=100"], ["study.decisions.hubs", "one and a bar", "3"]),
    ("what_to_find_out", ["study.parameters=[hiring.ocupancy]"], ["did you mean hiring.occupancy?"]),
]  # fmt: skip


@pytest.mark.parametrize(("experiment", "overrides", "words"), BAD)
def test_bad_input_is_told_in_one_line(experiment, overrides, words, tmp_path):
    with pytest.raises(InputError) as caught:
        workflow.run(plain(compose_config([f"experiment={experiment}", *overrides])), "bad", tmp_path / "run")
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_every_default_says_what_it_may_look_at():
    """The experiments' own plans are valid, and their levers bracket what is set now."""
    study = read_study(compose_config(["experiment=what_matters"]))
    for path, (low, high) in study.study.levers.items():
        group, name = path.split(".")
        assert low <= getattr(getattr(study, group), name).value <= high
    assert np.isfinite(sensitivity.Sensitivity(study).size)
