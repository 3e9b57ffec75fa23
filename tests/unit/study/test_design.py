"""Designs: even, addressed by seed and number, and only of what they are asked to draw."""

import numpy as np
import pytest

from sim.config import compose_config, plain, read_study
from sim.model.parameters import STATE, held
from sim.study import design
from sim.study.design import LEVELS, NEAR, TORNADO, Sensitivity, designed, points, uniforms
from sim.study.montecarlo import replicate
from tests.helpers import config, study

PATHS = ["calls.applications", "rollout.refusal"]
SOBOL = {"design": "sobol", "designed": PATHS}


def places(world, first, last):
    return np.array([list(point.values()) for point in uniforms(world, first, last)])


def test_the_streams_decide_by_default():
    assert list(uniforms(study(), 3, 6)) == [{}, {}, {}]


def test_every_drawn_parameter_unless_some_are_named():
    drawn = set(replicate(study(), 0).row)
    everything = designed(study({"design": "sobol"}))
    assert {f"param.{path}" for path in everything} == {name for name in drawn if name.startswith("param.")}
    assert designed(study(SOBOL)) == PATHS
    assert designed(study({**SOBOL, "rollout.refusal": 0.3})) == PATHS[:1]  # a number is not drawn


@pytest.mark.parametrize("kind", ["sobol", "latin_hypercube"])
def test_a_point_depends_on_seed_and_number_only(kind):
    world = study({**SOBOL, "design": kind})
    whole = places(world, 0, 64)
    np.testing.assert_array_equal(np.concatenate([places(world, 0, 7), places(world, 7, 64)]), whole)
    np.testing.assert_array_equal(places(world, 40, 41)[0], whole[40])
    design._sobol.cache_clear()
    design._latin.cache_clear()
    np.testing.assert_array_equal(places(world, 40, 64), whole[40:])
    assert not np.array_equal(places(study({**SOBOL, "design": kind, "seed": 2}), 0, 64), whole)


def test_a_latin_hypercube_has_each_parameter_once_in_each_stratum():
    x = places(study({**SOBOL, "design": "latin_hypercube"}), 0, 3 * design.STRATA)
    assert ((x > 0) & (x < 1)).all()
    for group in x.reshape(3, design.STRATA, len(PATHS)):
        for column in group.T:
            assert sorted((column * design.STRATA).astype(int)) == list(range(design.STRATA))


def test_an_antithetic_replication_mirrors_the_parameters_of_the_one_before():
    """Uniform parameters and their mirror images sum to both ends of the interval."""
    even = {"start.states": [], "rollout.refusal.value": ["uniform", 0.1, 0.5],
            "calls.applications.value": ["uniform", 40, 60], "end": "2025-11-30"}  # fmt: skip
    world, plain = study({**even, "design": "antithetic"}), study(even)
    rows = [replicate(world, number, point).row for number, point in enumerate(points(world, 0, 4))]
    for first, second in (rows[:2], rows[2:]):
        assert first["param.rollout.refusal"] + second["param.rollout.refusal"] == pytest.approx(0.6)
        assert first["param.calls.applications"] + second["param.calls.applications"] == pytest.approx(100)
    assert rows[0] == replicate(plain, 0).row
    assert rows[2] == replicate(plain, 2).row
    assert rows[0]["param.rollout.refusal"] != rows[2]["param.rollout.refusal"]


def test_points_are_even():
    """Every sixteenth of each parameter has just 16 of 256 points, and every quarter by quarter just 16."""
    x = places(study(SOBOL), 0, 256)
    assert ((x > 0) & (x < 1)).all()
    for column in x.T:
        assert set(np.histogram(column, 16, (0, 1))[0]) == {16}
    assert set(np.histogram2d(*x.T, 4, [[0, 1]] * 2)[0].ravel()) == {16}


def test_a_designed_parameter_is_the_quantile_of_its_point():
    world = study({**SOBOL, "end": "2025-11-30", "start.states_file": None, "start.states": []})
    (point,) = points(world, 5, 6)
    plain, drawn = replicate(world, 5), replicate(world, 5, point)
    for path in PATHS:
        group, name = path.split(".")
        value = getattr(getattr(world, group), name).value.quantile(point.uniforms[path])
        assert drawn.row[f"param.{path}"] == pytest.approx(value)
    others = [name for name in plain.row if name.startswith("param.") and name.removeprefix("param.") not in PATHS]
    assert len(others) > 15
    for name in others:
        assert drawn.row[name] == plain.row[name]


PLAN = ["hiring.occupancy", "start.open_hubs", "rollout.refusal", "calls.applications"]
LEVER = "rollout.committee"


@pytest.fixture(scope="module")
def screen():
    """A design of two parameters by themselves, two that come with the state of the start date, and a lever."""
    cfg = plain(compose_config(["experiment=what_matters"]))
    cfg["study"] |= {"parameters": PLAN, "levers": {LEVER: [40, 160]}, "lucks": 2}
    return Sensitivity(read_study(cfg))


def part(screen, name):
    """Replications of a part over two rounds, by (row, column, luck)."""
    found = {screen.place(number): screen.point(number) for number in range(2 * screen.size)}
    return {place[1:]: point for place, point in found.items() if place.part == name}


def test_parameters_of_the_state_are_one_factor_and_single_inputs(screen):
    assert screen.factors == [STATE, "start.open_hubs", "hiring.occupancy"]
    assert set(screen.single) == {STATE, *PLAN, LEVER}
    assert "rollout.refusal" in held(screen.study)
    assert held(study({"rollout.refusal": 0.3})) == [path for path in held(study()) if path != "rollout.refusal"]


def test_every_replication_has_its_place(screen):
    places = [screen.place(number) for number in range(2 * screen.size)]
    assert len(set(places)) == len(places)
    streams = {number: point.luck for number, point in enumerate(points(screen.study, 0, 2 * screen.size))}
    by_luck = {}
    for number, place in enumerate(places):
        by_luck.setdefault(streams[number], set()).add((place.part, place.row, place.luck))
    assert all(len(one) == 1 for one in by_luck.values())  # a stream belongs to one row and luck
    assert len(by_luck) == len({(place.part, place.row, place.luck) for place in places})
    some = list(points(screen.study, 30, 90))
    assert some == [screen.point(number) for number in range(30, 90)]  # whatever block it is in


def test_rows_are_saltellis(screen):
    rows = part(screen, "rows")
    for row in range(2 * screen.plan.rows):
        a, b, *mixed = (rows[row, column, 0].uniforms for column in range(2 + len(screen.factors)))
        assert rows[row, 0, 1].uniforms == a
        assert set(a) == set(screen.factors)
        assert all(a[path] != b[path] for path in a)
        for path, point in zip(screen.factors, mixed, strict=True):
            assert point == a | {path: b[path]}


def test_trajectories_move_one_input_at_a_time(screen):
    for row in range(6):
        path = np.array(screen.trajectory(row))
        assert set(path.ravel()) <= set(LEVELS)
        steps = np.diff(path, axis=0)
        assert (np.abs(steps) == 0.5).sum() == (steps != 0).sum() == len(screen.single)
        for step, (index, up) in zip(steps, screen.moves(row), strict=True):
            assert step[index] == 0.5 * up


def of_pairs(screen, rounds):
    """Points of the pairs in which the state is moved, shape (rounds, ends)."""
    first, i = next(n for n in range(screen.size) if screen.place(n).part == "pairs"), screen.single.index(STATE)
    return [
        [screen.point(turn * screen.size + first + 1 + 2 * i + end) for end in (0, 1)] for turn in range(rounds)
    ]  # fmt: skip


def test_few_and_many_hubs_under_way_are_all_states_about_there(screen):
    """Not the same two in every pair: the interval of the swing would leave out how much states of a size differ."""
    n = len(screen.study.start.states)
    places = np.array([[point.uniforms[STATE] for point in pair] for pair in of_pairs(screen, 400)])
    for column, place in zip(places.T, TORNADO, strict=True):
        near = range(round((place - NEAR) * n), round((place + NEAR) * n))
        assert set((column * n).astype(int)) == set(near)
        assert column.mean() == pytest.approx(place, abs=4 * NEAR / np.sqrt(3 * 400))
    again = [[point.uniforms[STATE] for point in pair] for pair in of_pairs(Sensitivity(screen.study), 2)]
    np.testing.assert_array_equal(again, places[:2])


def test_along_a_trajectory_the_state_is_one_of_two_and_the_same_with_every_luck(screen):
    walks = part(screen, "trajectories")
    asides = set()
    for row in range(2):
        levels = [level[screen.single.index(STATE)] for level in screen.trajectory(row)]
        found = [[walks[row, column, luck].uniforms[STATE] - level for luck in (0, 1)]
                 for column, level in enumerate(levels)]  # fmt: skip
        assert len(set(levels)) == 2
        np.testing.assert_allclose(found, found[0][0])
        assert abs(found[0][0]) < NEAR
        asides.add(found[0][0])
    assert len(asides) == 2
    assert max(LEVELS) + NEAR < 1


def test_a_point_sets_what_its_inputs_say(screen):
    world = screen.study
    walks, pairs = part(screen, "trajectories"), part(screen, "pairs")
    values = dict(zip(screen.single, screen.trajectory(0)[0], strict=True))
    point = walks[0, 0, 0]
    assert set(point.uniforms) == {STATE, "start.open_hubs", "hiring.occupancy"}
    assert point.fixed[LEVER] == screen.value(LEVER, values[LEVER]) == round(40 + 120 * values[LEVER])
    assert set(held(world)) <= set(point.fixed)
    states = sorted(state.parameters["rollout.refusal"] for state in world.start.states)
    assert point.fixed["rollout.refusal"] == states[int(values["rollout.refusal"] * len(states))]
    assert pairs[0, 0, 0][1:] == ({}, {})
    low, high = (pairs[0, 1 + 2 * screen.single.index(LEVER) + side, 0] for side in (0, 1))
    assert (low.fixed, high.fixed) == ({LEVER: 52.0}, {LEVER: 148.0})


def test_moving_the_hubs_under_way_leaves_the_parameters_alone(screen):
    plan = screen.study.study.model_dump() | {"outcomes": ["hubs_open"]}
    cfg = config({"study": plan, "design": "sensitivity", "end": "2025-11-30", "goals": {}})
    world = read_study(cfg)
    screen = Sensitivity(world)
    base, low, high = (
        replicate(world, 7, part(screen, "pairs")[0, column, 0]).row
        for column in (0, *(1 + 2 * screen.single.index(STATE) + side for side in (0, 1)))
    )
    for name in base:
        if name.startswith("param."):
            assert base[name] == low[name] == high[name]
    under_way = [row["in_progress@2025-11-30"] + row["opened@2025-11-30"] for row in (low, high)]
    assert under_way[1] > under_way[0] + 10
